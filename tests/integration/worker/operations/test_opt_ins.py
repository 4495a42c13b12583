"""lists.add and lists.overwrite opt contacts in to channels, except contacts that opted out themselves."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.ids import AccountId
from schemas.operations import JobParams, Operation
from storage.context import Context
from storage.entities import opt_ins
from tests.factories import contact, make_account, make_channel, make_contacts, make_job, make_list
from tests.integration.worker.job_runs import assert_consistent, run, words_of
from tests.waiting import until
from tests.workers import barred, claim, drain, results_of, waiting_backends
from worker.apply import apply_chunk

ADD, REMOVE, OVERWRITE = Operation.LISTS_ADD, Operation.LISTS_REMOVE, Operation.LISTS_OVERWRITE
KEPT = "kept_opted_out"


async def store_opt_in(
    ctx: Context,
    account_id: AccountId,
    contact_id: int,
    channel_id: UUID,
    *,
    opted_in: bool,
    by_contact: bool,
) -> None:
    """Store an opt-in or opt-out; `by_contact`: made by the contact, not by an operation."""
    await ctx.pool.execute(
        """INSERT INTO opt_ins (account_id, contact_id, channel_id, opted_in, by_contact)
           VALUES ($1, $2, $3, $4, $5)""",
        account_id, contact_id, channel_id, opted_in, by_contact,
    )  # fmt: skip


async def opted_in(ctx: Context) -> set[tuple[int, UUID]]:
    """Return all opt-ins as (contact id, channel id)."""
    return {
        tuple(row)
        for row in await ctx.pool.fetch("SELECT contact_id, channel_id FROM opt_ins WHERE opted_in")
    }


@pytest.mark.parametrize("operation", [ADD, OVERWRITE])
async def test_contacts_are_opted_in_to_the_channels_of_the_job(ctx: Context, operation: Operation) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    one, other, third = [await make_channel(ctx, account.id) for _ in range(3)]
    items = [contact(n) for n in range(3)]
    results = await run(ctx, account.id, operation, items, list_id=list_id, channels=(one, other))
    assert words_of(results) == ["created"] * 3
    ids = [result.contact_id for result in results]
    assert await opted_in(ctx) == {(id_, channel) for id_ in ids for channel in (one, other)}
    again = await run(ctx, account.id, operation, items, list_id=list_id, channels=(one, other))
    assert words_of(again) == ["unchanged"] * 3
    more = await run(ctx, account.id, operation, items[:1], list_id=list_id, channels=(third,))
    assert words_of(more) == ["updated"]
    await assert_consistent(ctx)


async def test_lists_remove_opts_contacts_in_to_nothing(ctx: Context) -> None:
    account = await make_account(ctx)
    list_id, channel = await make_list(ctx, account.id), await make_channel(ctx, account.id)
    await run(ctx, account.id, REMOVE, [contact(1)], list_id=list_id, channels=(channel,))
    assert await opted_in(ctx) == set()


async def test_the_contacts_own_opt_out_is_kept_and_reported(ctx: Context) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    one, other = [await make_channel(ctx, account.id) for _ in range(2)]
    ids = await make_contacts(ctx, account.id, range(4))
    await store_opt_in(ctx, account.id, ids[0], one, opted_in=False, by_contact=True)
    await store_opt_in(ctx, account.id, ids[1], one, opted_in=False, by_contact=False)
    await store_opt_in(ctx, account.id, ids[2], one, opted_in=True, by_contact=True)
    items = [{"phone": contact(n)["phone"]} for n in (0, 1, 2, 3, 0)]
    options: dict[str, Any] = {"list_id": list_id, "channels": (one, other)}
    results = await run(ctx, account.id, ADD, items, **options)
    assert words_of(results) == ["merged", "updated", "updated", "updated", ("updated", KEPT)]
    assert await opted_in(ctx) == {(id_, ch) for id_ in ids for ch in (one, other)} - {(ids[0], one)}
    assert "override_opt_outs" in (results[4].message or "")
    results = await run(ctx, account.id, ADD, items[:4], **options)
    assert words_of(results) == [("unchanged", KEPT), *["unchanged"] * 3]
    opt_in = await ctx.pool.fetchrow(
        "SELECT * FROM opt_ins WHERE contact_id = $1 AND channel_id = $2", ids[2], one
    )
    assert opt_in is not None
    assert opt_in["by_contact"]  # the contact's own opt-in keeps its origin


async def test_override_opt_outs_overrides_an_opt_out(ctx: Context) -> None:
    account = await make_account(ctx)
    list_id, channel = await make_list(ctx, account.id), await make_channel(ctx, account.id)
    (one,) = await make_contacts(ctx, account.id, [1])
    await store_opt_in(ctx, account.id, one, channel, opted_in=False, by_contact=True)
    options: dict[str, Any] = {"list_id": list_id, "channels": (channel,), "override_opt_outs": True}
    item = {"phone": contact(1)["phone"]}
    assert words_of(await run(ctx, account.id, ADD, [item], **options)) == ["updated"]
    assert await opted_in(ctx) == {(one, channel)}
    assert words_of(await run(ctx, account.id, ADD, [item], **options)) == ["unchanged"]


async def test_deleted_and_foreign_channels_are_skipped(ctx: Context) -> None:
    account, other_account = await make_account(ctx), await make_account(ctx)
    list_id, channel = await make_list(ctx, account.id), await make_channel(ctx, account.id)
    foreign = await make_channel(ctx, other_account.id)
    channels = (uuid4(), channel, foreign)
    results = await run(ctx, account.id, ADD, [contact(1)], list_id=list_id, channels=channels)
    assert words_of(results) == ["created"]
    assert {one for _, one in await opted_in(ctx)} == {channel}


async def test_the_note_is_reported_once_for_a_contact_in_several_chunks(
    ctx: Context, crew: list[Context]
) -> None:
    account = await make_account(ctx)
    list_id, channel = await make_list(ctx, account.id), await make_channel(ctx, account.id)
    ids = await make_contacts(ctx, account.id, range(10))
    for id_ in ids[::2]:
        await store_opt_in(ctx, account.id, id_, channel, opted_in=False, by_contact=True)
    items = [{"phone": contact(n % 10)["phone"]} for n in range(30)]
    results = await run(
        ctx, account.id, ADD, items,
        list_id=list_id, channels=(channel,), chunk_items=7, parallel=8, workers=crew,
    )  # fmt: skip
    assert words_of(results) == ["merged"] * 20 + [("updated", KEPT), "updated"] * 5
    assert await opted_in(ctx) == {(id_, channel) for id_ in ids[1::2]}


async def test_the_note_is_reported_beside_a_bad_item(ctx: Context) -> None:
    account = await make_account(ctx)
    list_id, channel = await make_list(ctx, account.id), await make_channel(ctx, account.id)
    (one,) = await make_contacts(ctx, account.id, [1])
    await store_opt_in(ctx, account.id, one, channel, opted_in=False, by_contact=True)
    items = [contact(1), contact(2, name="a\0b"), contact(3), contact(1)]
    results = await run(ctx, account.id, ADD, items, list_id=list_id, channels=(channel,))
    assert words_of(results) == ["merged", ("failed", "invalid_character"), "created", ("updated", KEPT)]


async def test_a_concurrent_opt_out_is_kept(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    list_id, channel = await make_list(ctx, account.id), await make_channel(ctx, account.id)
    (one,) = await make_contacts(ctx, account.id, [1])
    params = JobParams(list_id=list_id, channels=(channel,))
    await make_job(ctx, account.id, [contact(1), contact(2)], operation=ADD, params=params)
    held = await claim(ctx)
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute("INSERT INTO opt_ins VALUES ($1, $2, $3, false, true)", account.id, one, channel)
        applying = asyncio.create_task(apply_chunk(crew[0], held))
        await until(lambda: waiting_backends(ctx))
    await applying
    assert one not in {contact_id for contact_id, _ in await opted_in(ctx)}


async def test_opt_ins_to_many_channels_take_several_statements(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opt_ins, "PAIRS", 20)
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    channels = tuple([await make_channel(ctx, account.id) for _ in range(6)])
    ids = await make_contacts(ctx, account.id, range(10))
    await store_opt_in(ctx, account.id, ids[9], channels[0], opted_in=False, by_contact=True)
    items = [{"phone": contact(n)["phone"]} for n in range(10)]
    results = await run(ctx, account.id, ADD, items, list_id=list_id, channels=channels)
    assert words_of(results) == ["updated"] * 9 + [("updated", KEPT)]
    assert len(await opted_in(ctx)) == 59


async def test_deleting_a_channel_waits_for_opt_ins_in_progress(ctx: Context) -> None:
    account = await make_account(ctx)
    list_id, channel = await make_list(ctx, account.id), await make_channel(ctx, account.id)
    params = JobParams(list_id=list_id, channels=(channel,))
    job_id = await make_job(ctx, account.id, [contact(1)], operation=ADD, params=params)
    held = await claim(ctx)
    async with barred(ctx, "LOCK TABLE outcomes IN SHARE MODE"):
        applying = asyncio.create_task(apply_chunk(ctx, held))
        await until(lambda: waiting_backends(ctx))
        deleting = asyncio.create_task(ctx.pool.execute("DELETE FROM channels"))
        await until(lambda: _two_wait(ctx))
    await asyncio.gather(applying, deleting)
    await drain(ctx)
    assert words_of(await results_of(ctx, account.id, job_id)) == ["created"]


async def _two_wait(ctx: Context) -> bool:
    return len(await waiting_backends(ctx)) == 2
