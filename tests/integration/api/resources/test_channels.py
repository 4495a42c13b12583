"""Channels: their phones, and what their deletion changes."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from storage.context import Context
from storage.entities import channels
from tests.factories import phone
from tests.integration.api.resource_calls import (
    delete,
    make,
    patch,
    post,
    problems,
    refusal,
    until_waiting,
)
from tests.integration.api.service import Client, make_client

PATH = "/v1/channels"
CONTACTS = """
INSERT INTO contacts (account_id, phone, default_channel_id)
SELECT $1, '+1415' || (2000000 + n), $2 FROM generate_series(1, $3::int) n
"""
OPT_IN = """
INSERT INTO opt_ins (account_id, contact_id, channel_id, opted_in, by_contact)
SELECT c.account_id, c.id, h.id, true, false FROM contacts c JOIN channels h USING (account_id)
"""
STATE = """
SELECT (SELECT count(*) FROM opt_ins) AS opt_ins, (SELECT count(*) FROM contacts) AS contacts,
    (SELECT count(*) FROM contacts WHERE default_channel_id IS NOT NULL) AS defaults
"""


async def state(ctx: Context) -> dict[str, int]:
    return dict(await ctx.pool.fetchrow(STATE) or {})


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("(415) 200-0001", "+14152000001"),
        ("+1 415 200 0001", "+14152000001"),
        ("\uff0b91 98765 43210", "+919876543210"),
        (None, None),
    ],
)
async def test_a_phone_is_taken_in_any_notation(client: Client, given: str | None, shown: str | None) -> None:
    made = await make(client, PATH, name="SMS", phone=given)
    assert made["phone"] == shown
    assert UUID(made["id"]).version == 4
    response = await patch(client, f"{PATH}/{made['id']}", {"phone": given})
    assert (response.status, response.json["phone"]) == (200, shown)


async def test_a_national_phone_needs_the_accounts_region(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    indian = await make_client(ctx, session, region="IN")
    assert (await make(indian, PATH, name="SMS", phone="98765 43210"))["phone"] == "+919876543210"
    nowhere = await make_client(ctx, session, region=None)
    response = await post(nowhere, PATH, {"name": "SMS", "phone": "98765 43210"})
    assert problems(response) == {"phone": "phone_unknown_country_code"}


async def test_an_invalid_phone_is_reported_with_all_other_problems(client: Client) -> None:
    made = await make(client, PATH, name="SMS", phone=phone(1))
    wrong: dict[Any, str] = {
        "12": "phone_too_short",
        "": "phone_not_a_number",
        "a\0b": "phone_not_a_number",
        "+999 1234567": "phone_unknown_country_code",
        "+1 415 200 0001 2345 6789": "phone_too_long",
        "+1 000 000 0000": "phone_invalid_for_region",
        5: "invalid_parameter",
        True: "invalid_parameter",
    }
    for text, code in wrong.items():
        for name, more in (("ok", {}), ("", {"name": "invalid_parameter"})):
            body = {"name": name, "phone": text, "x": 1}
            expected = {"phone": code, "x": "unknown_parameter", **more}
            assert problems(await post(client, PATH, body)) == expected
            assert problems(await patch(client, f"{PATH}/{made['id']}", body)) == expected
    assert (await client.get(PATH)).json["data"] == [made]


async def test_a_missing_field_keeps_its_value_and_null_clears_it(client: Client) -> None:
    made = await make(client, PATH, name="SMS", phone=phone(1))
    path = f"{PATH}/{made['id']}"
    for change in (
        {"name": "Text"},
        {"phone": phone(2)},
        {"phone": None},
        {"name": "SMS", "phone": phone(1)},
    ):
        before = (await client.get(path)).json
        after = (await patch(client, path, change)).json
        assert after == before | change | {"updated_at": after["updated_at"]}


async def test_a_phone_belongs_to_one_channel(client: Client) -> None:
    one = await make(client, PATH, name="One", phone=phone(1))
    other = await make(client, PATH, name="Other")
    await make(client, PATH, name="Third")  # several channels may have no phone
    for response in (
        await post(client, PATH, {"name": "Fourth", "phone": phone(1)}),
        await patch(client, f"{PATH}/{other['id']}", {"phone": phone(1)}),
    ):
        assert refusal(response) == (409, "channel_exists")
        assert response.error["param"] == "phone"
    assert (await patch(client, f"{PATH}/{one['id']}", {"phone": phone(1)})).status == 200


async def test_an_id_is_taken_in_any_notation_of_a_uuid(client: Client) -> None:
    made = await make(client, PATH, name="SMS")
    for id_ in (made["id"].upper(), made["id"].replace("-", "")):
        assert (await client.get(f"{PATH}/{id_}")).json == made


async def test_channels_are_resolved_by_id_and_by_phone(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    one, other = [UUID((await make(client, PATH, name=phone(n), phone=phone(n)))["id"]) for n in (1, 2)]
    third = UUID((await make(client, PATH, name="Third"))["id"])
    theirs = await make_client(ctx, session)
    foreign = UUID((await make(theirs, PATH, name="Theirs", phone=phone(3)))["id"])
    pool, account_id = ctx.pool, client.account.id
    resolved = await channels.resolve(pool, account_id, [one, third, foreign, uuid4()], [phone(2), phone(3)])
    assert {key: resolved[key] for key in (one, third, phone(2))} == {one: one, third: third, phone(2): other}
    assert foreign not in resolved
    assert phone(3) not in resolved
    assert await channels.resolve(pool, account_id, [], []) == {}
    assert set(await channels.all_ids(pool, account_id)) == {one, other, third}


async def test_deleting_a_channel_deletes_its_opt_ins_and_clears_defaults(
    ctx: Context, client: Client
) -> None:
    one, other = [await make(client, PATH, name=name) for name in ("One", "Other")]
    for number, made in enumerate((one, other)):
        await ctx.pool.execute(
            CONTACTS.replace("2000000", f"200{number}000"), client.account.id, made["id"], 3
        )
    await ctx.pool.execute(OPT_IN)
    assert await state(ctx) == {"opt_ins": 12, "contacts": 6, "defaults": 6}
    assert (await delete(client, f"{PATH}/{one['id']}")).status == 204
    assert await state(ctx) == {"opt_ins": 6, "contacts": 6, "defaults": 3}
    assert await ctx.pool.fetchval("SELECT bool_and(channel_id = $1) FROM opt_ins", other["id"])


async def test_deleting_a_channel_clears_defaults_in_batches(
    ctx: Context, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "BATCH", 2)
    made = await make(client, PATH, name="SMS")
    await ctx.pool.execute(CONTACTS, client.account.id, made["id"], 5)
    written = await ctx.pool.fetchval("SELECT max(updated_at) FROM contacts")
    assert (await delete(client, f"{PATH}/{made['id']}")).status == 204
    assert await state(ctx) == {"opt_ins": 0, "contacts": 5, "defaults": 0}
    assert await ctx.pool.fetchval("SELECT bool_and(updated_at > $1) FROM contacts", written)
    assert await ctx.pool.fetchval("SELECT count(DISTINCT updated_at) FROM contacts") == 3


async def test_deleting_a_channel_changes_no_other_account(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    """A default names a channel of the contact's own account, even if ids of two accounts are equal."""
    made = await make(client, PATH, name="SMS")
    other = await make_client(ctx, session)
    await ctx.pool.execute(CONTACTS, client.account.id, made["id"], 1)
    await ctx.pool.execute(CONTACTS, other.account.id, made["id"], 1)
    assert refusal(await delete(other, f"{PATH}/{made['id']}")) == (404, "unknown_channel")
    assert (await state(ctx))["defaults"] == 2
    assert (await delete(client, f"{PATH}/{made['id']}")).status == 204
    assert (await state(ctx))["defaults"] == 1


async def test_rows_written_during_a_deletion_are_cleared_too(ctx: Context, client: Client) -> None:
    made = await make(client, PATH, name="SMS")
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT id FROM channels FOR KEY SHARE")  # the lock that an opt-in takes
        deleting = asyncio.create_task(delete(client, f"{PATH}/{made['id']}"))
        await until_waiting(ctx)
        await conn.execute(CONTACTS, client.account.id, made["id"], 2)
        await conn.execute(OPT_IN)
    assert (await deleting).status == 204
    assert await state(ctx) == {"opt_ins": 0, "contacts": 2, "defaults": 0}


async def test_of_two_concurrent_deletions_one_is_a_404(ctx: Context, client: Client) -> None:
    made = await make(client, PATH, name="SMS")
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT id FROM channels FOR KEY SHARE")
        deleting = [asyncio.create_task(delete(client, f"{PATH}/{made['id']}")) for _ in range(2)]
        await until_waiting(ctx, 2)
    assert sorted([(await deletion).status for deletion in deleting]) == [204, 404]
