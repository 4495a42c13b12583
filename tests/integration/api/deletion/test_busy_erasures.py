"""An erasure that meets a locked contact, or searches a large part, delays no other account."""

import threading

import pytest

from schemas.ids import read_id
from storage.context import Context
from storage.deletion import erasures
from storage.deletion.erasures import Erasure, ErasureStep, StepDone
from storage.deletion.identifiers import Identifiers
from storage.postgres.pool import Conn
from tests.factories import phone
from tests.integration.api.service import Client, make_client
from tests.integration.api.work import work
from tests.workers import barred
from worker.deletion.erase_contacts import erase

MADE = {"phoneNumber": phone(1), "name": "Ana"}


async def make(client: Client) -> str:
    """Make the contact, and return its id."""
    made = await client.call("POST", "/v1/contacts", json=MADE)
    assert made.status == 201, made.body
    return str(made.json["id"])


async def ask(client: Client, contact_id: str) -> str:
    """Ask for an erasure, and return its path."""
    asked = await client.call("DELETE", f"/v1/contacts/{contact_id}/data")
    assert asked.status == 202, asked.body
    return f"/v1/erasures/{asked.json['id']}"


async def state(client: Client, path: str) -> str:
    return str((await client.get(path)).json["state"])


async def test_a_locked_contact_delays_no_erasure_of_another_account(
    ctx: Context, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, limits = await make_client(ctx, client._session), []
    step = erasures.STEPS[ErasureStep.CONTACT]

    async def contact_step(conn: Conn, erasure: Erasure) -> StepDone:
        limits.append(await conn.fetchval("SHOW lock_timeout"))
        return await step(conn, erasure)

    monkeypatch.setitem(erasures.STEPS, ErasureStep.CONTACT, contact_step)
    held_id = await make(client)
    held, free = await ask(client, held_id), await ask(other, await make(other))
    lock = f"SELECT FROM contacts WHERE id = {read_id('ctc', held_id)} FOR UPDATE"
    async with barred(ctx, lock):
        while await erasures.advance(ctx.pool):
            pass
        assert (await state(client, held), await state(other, free)) == ("waiting", "completed")
    assert set(limits) == {"300ms"}
    await ctx.pool.execute("UPDATE erasures SET due_at = now()")
    await erase(ctx)
    assert await state(client, held) == "completed"


async def test_a_kept_part_is_searched_beside_the_event_loop(
    ctx: Context, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[threading.Thread] = []
    quick = Identifiers.may_be_in

    def may_be_in(of: Identifiers, body: bytes) -> bool:
        looked.append(threading.current_thread())
        return quick(of, body)

    monkeypatch.setattr(Identifiers, "may_be_in", may_be_in)
    contact_id = await make(client)
    body = f"phone,note\n{phone(1)},of Ana\n".encode()
    assert (await client.submit(body, "text/csv", "?unknown_columns=keep")).status == 202
    await work(ctx)
    shown = await client.get(f"/v1/contacts/{contact_id}/data")
    assert len(shown.json["rows"]) == 1
    erased = await ask(client, contact_id)
    await erase(ctx)
    assert await state(client, erased) == "completed"
    assert len(looked) >= 2
    assert threading.main_thread() not in looked
