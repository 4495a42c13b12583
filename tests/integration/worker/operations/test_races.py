"""Concurrent operations on one contact, list or label leave no membership without its contact or owner."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from schemas.ids import AccountId
from schemas.operations import BULK_OPERATIONS, JobParams, Operation
from storage.context import Context
from storage.entities import labels, memberships
from storage.pipeline.chunks import Claim
from tests.factories import (
    contact,
    make_account,
    make_audience,
    make_channel,
    make_contacts,
    make_job,
    make_label,
    make_list,
    phone,
)
from tests.integration.worker.job_runs import assert_consistent, members_of, run, words_of
from tests.waiting import until
from tests.workers import (
    COUNTS,
    barred,
    claim,
    counts_of,
    drain,
    expire_leases,
    job_of,
    results_of,
    waiting_backends,
)
from worker.apply import apply_chunk
from worker.reconcile import reconcile

AFTER_THE_EFFECT = "LOCK TABLE outcomes IN SHARE MODE"
DELETE, ATTACH, DETACH = Operation.CONTACTS_DELETE, Operation.LABELS_ATTACH, Operation.LABELS_DETACH


async def claims(ctx: Context, count: int) -> list[Claim]:
    """Claim the next chunks; return them in the order in which their jobs were accepted."""
    return sorted([await claim(ctx) for _ in range(count)], key=lambda claimed: claimed.job_id)


@asynccontextmanager
async def applied_up_to_its_commit(ctx: Context, worker: Context, held: Claim) -> AsyncIterator[None]:
    """Apply a chunk, and let it commit only after the body."""
    async with barred(ctx, AFTER_THE_EFFECT):
        applying = asyncio.create_task(apply_chunk(worker, held))
        await until(lambda: waiting_backends(ctx))
        yield
    await applying


async def _waiting(ctx: Context, count: int) -> bool:
    return len(await waiting_backends(ctx)) >= count


@pytest.mark.parametrize("operation", [DELETE, ATTACH, Operation.PREFERENCES_SET, Operation.AUDIENCES_ADD])
async def test_contacts_are_locked_in_the_order_of_their_phones(
    ctx: Context, crew: list[Context], operation: Operation
) -> None:
    account = await make_account(ctx)
    third, second, first = await make_contacts(ctx, account.id, [3, 2, 1])
    await make_contacts(ctx, account.id, range(10, 5_000))  # PostgreSQL uses no index on a small table
    params = JobParams(
        label_id=await make_label(ctx, account.id),
        audience_id=await make_audience(ctx, account.id),
        preference="mute_all",
    )
    items = [{"id": one} for one in (second, third, first)]
    await make_job(ctx, account.id, items, operation=operation, params=params)
    held = await claim(ctx)
    async with barred(ctx, f"SELECT FROM contacts WHERE id = {second} FOR UPDATE"):
        applying = asyncio.create_task(apply_chunk(crew[0], held))
        await until(lambda: waiting_backends(ctx))
        assert [await _is_free(ctx, one) for one in (first, third)] == [False, True]
    await applying


async def _is_free(ctx: Context, contact_id: int) -> bool:
    try:
        await ctx.pool.execute("SELECT FROM contacts WHERE id = $1 FOR UPDATE NOWAIT", contact_id)
    except asyncpg.LockNotAvailableError:
        return False
    return True


async def test_an_upsert_writes_contacts_in_the_order_of_their_phones(ctx: Context) -> None:
    """Two chunks that lock contacts in different orders deadlock. New ids show the order.

    The order of COPY is not enough: PostgreSQL puts a narrow row into the space that a wide one has left free
    in an earlier page of the staging table.
    """
    account = await make_account(ctx)
    numbers = random.sample(range(1_000), 1_000)
    widths = [random.Random(number).choice((1, 800, 1_900)) for number in range(1_000)]  # fixed
    items = [contact(number, metadata={"text": "x" * widths[number]}) for number in numbers]
    await make_job(ctx, account.id, items)
    await apply_chunk(ctx, await claim(ctx))
    written = await ctx.pool.fetch("SELECT phone FROM contacts ORDER BY id")
    assert [row["phone"] for row in written] == [phone(number) for number in sorted(numbers)]


async def test_a_delete_that_waits_for_an_attach_removes_its_memberships(
    ctx: Context, crew: list[Context]
) -> None:
    account = await make_account(ctx)
    ids = await make_contacts(ctx, account.id, range(3))
    label_id = await make_label(ctx, account.id)
    attach = await make_job(ctx, account.id, ids, operation=ATTACH, params=JobParams(label_id=label_id))
    delete = await make_job(ctx, account.id, ids[:2], operation=DELETE, parallel=1)
    first, second = await claims(ctx, 2)
    async with applied_up_to_its_commit(ctx, crew[0], first):
        deleting = asyncio.create_task(apply_chunk(crew[1], second))
        await until(lambda: _waiting(ctx, 2))
    await deleting
    assert words_of(await results_of(ctx, account.id, attach)) == ["updated"] * 3
    assert words_of(await results_of(ctx, account.id, delete)) == ["updated"] * 2
    assert await members_of(ctx, "label", label_id) == {ids[2]}
    await assert_consistent(ctx)


async def test_an_attach_that_waits_for_a_delete_finds_no_contact(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    ids = await make_contacts(ctx, account.id, range(3))
    label_id = await make_label(ctx, account.id)
    await make_job(ctx, account.id, ids[:2], operation=DELETE, parallel=1)
    attach = await make_job(ctx, account.id, ids, operation=ATTACH, params=JobParams(label_id=label_id))
    first, second = await claims(ctx, 2)
    async with applied_up_to_its_commit(ctx, crew[0], first):
        attaching = asyncio.create_task(apply_chunk(crew[1], second))
        await until(lambda: _waiting(ctx, 2))
    await attaching
    skipped = ("skipped", "skipped_cross_org")
    assert words_of(await results_of(ctx, account.id, attach)) == [skipped, skipped, "updated"]
    assert await members_of(ctx, "label", label_id) == {ids[2]}
    await assert_consistent(ctx)


async def test_two_chunks_and_the_delete_of_their_label_do_not_deadlock(
    ctx: Context, crew: list[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first chunk has locked the label and waits for a member; the others wait for the label."""
    monkeypatch.setattr("worker.apply.TRIES", 1)  # a retry would hide a deadlock
    account = await make_account(ctx)
    ids = await make_contacts(ctx, account.id, range(4))
    label_id = await make_label(ctx, account.id)
    params = JobParams(label_id=label_id)
    await make_job(ctx, account.id, ids, operation=ATTACH, params=params, chunk_items=2, parallel=2)
    held = await claims(ctx, 2)
    waiting: list[asyncio.Task[Any]] = []
    async with barred(ctx, AFTER_THE_EFFECT), ctx.pool.acquire() as conn:
        member = conn.transaction()
        await member.start()
        await conn.execute("SET LOCAL session_replication_role = replica")  # without the trigger
        await memberships.add(conn, account.id, "label", label_id, ids[:1])
        for work in (
            apply_chunk(crew[0], held[0]),
            apply_chunk(crew[1], held[1]),
            labels.delete(ctx.pool, account.id, label_id),
        ):
            waiting.append(asyncio.create_task(work))
            await until(lambda: _waiting(ctx, len(waiting)))
        await member.rollback()
    async with asyncio.timeout(10):
        await asyncio.gather(*waiting)
    assert await members_of(ctx, "label", label_id) == set()
    await assert_consistent(ctx)


async def test_a_contact_that_is_deleted_while_an_overwrite_names_it_is_in_no_list(
    ctx: Context, crew: list[Context]
) -> None:
    account = await make_account(ctx)
    list_id, channel = await make_list(ctx, account.id), await make_channel(ctx, account.id)
    ids = await make_contacts(ctx, account.id, range(3))
    params = JobParams(list_id=list_id, channels=(channel,))
    items = [{"phone": phone(n)} for n in range(3)]
    await make_job(ctx, account.id, items, operation=Operation.LISTS_OVERWRITE, params=params)
    await make_job(ctx, account.id, ids[:1], operation=DELETE, parallel=1, stream="another")
    first, second = await claims(ctx, 2)
    async with applied_up_to_its_commit(ctx, crew[0], first):
        deleting = asyncio.create_task(apply_chunk(crew[1], second))
        await until(lambda: _waiting(ctx, 2))
    await deleting
    assert await members_of(ctx, "list", list_id) == set(ids[1:])
    await assert_consistent(ctx)


async def jobs_of_all_kinds(ctx: Context, rng: random.Random, account_id: AccountId) -> int:
    """Accept jobs of every operation on a few contacts, lists, labels and audiences; return how many."""
    channel = await make_channel(ctx, account_id)
    lists = [await make_list(ctx, account_id) for _ in range(2)]
    labels_ = [await make_label(ctx, account_id) for _ in range(2)]
    audiences = [await make_audience(ctx, account_id) for _ in range(2)]
    count = 40
    for _ in range(count):
        operation = rng.choice(BULK_OPERATIONS)
        items: list[Any] = [{"phone": phone(rng.randrange(30))} for _ in range(rng.randint(1, 40))]
        params = JobParams(
            list_id=rng.choice(lists),
            label_id=rng.choice(labels_),
            audience_id=rng.choice(audiences),
            channels=(channel,),
            preference=rng.choice(["allow_all", "mute_all"]),
        )
        await make_job(
            ctx, account_id, items,
            operation=operation, params=params, chunk_items=rng.randint(3, 15),
            parallel=1 if operation is DELETE else rng.randint(1, 8),
        )  # fmt: skip
    return count


@pytest.mark.parametrize("seed", range(3))
async def test_parallel_jobs_of_all_operations_leave_consistent_data(
    ctx: Context, crew: list[Context], seed: int
) -> None:
    rng = random.Random(seed)
    accounts = [await make_account(ctx) for _ in range(2)]
    jobs = [await jobs_of_all_kinds(ctx, rng, account.id) for account in accounts]
    await drain(*crew, turns=3, seconds=60)
    await assert_consistent(ctx)
    rows = await ctx.pool.fetch("SELECT * FROM jobs")
    assert len(rows) == sum(jobs)
    assert all(sum(row[name] for name in COUNTS) == row["total"] for row in rows)
    assert {row["state"] for row in rows} <= {"completed", "completed_with_errors"}
    codes = await ctx.pool.fetch("SELECT DISTINCT code FROM item_errors")
    assert {row["code"] for row in codes} <= {"contact_not_found"}
    assert await ctx.pool.fetchval("SELECT sum(deaths) FROM chunks") == 0


# How many of five contacts each operation changes. Two have the label and are in the list before.
CHANGED = {
    DELETE: 5,
    Operation.PREFERENCES_SET: 5,
    ATTACH: 3,
    DETACH: 2,
    Operation.LISTS_ADD: 5,  # three are added, all are opted in
    Operation.LISTS_REMOVE: 2,
    Operation.LISTS_OVERWRITE: 5,
    Operation.AUDIENCES_ADD: 5,
}


@pytest.mark.parametrize("operation", CHANGED)
async def test_a_worker_that_lost_its_chunk_changes_nothing_and_the_next_applies_it_once(
    ctx: Context, crew: list[Context], operation: Operation
) -> None:
    account = await make_account(ctx)
    ids = await make_contacts(ctx, account.id, range(6))
    label_id, list_id = await make_label(ctx, account.id), await make_list(ctx, account.id)
    items = [{"phone": phone(n)} for n in range(6)]
    await run(ctx, account.id, ATTACH, ids[:3], label_id=label_id)
    await run(ctx, account.id, Operation.LISTS_ADD, items[:3], list_id=list_id)
    params = JobParams(
        label_id=label_id,
        list_id=list_id,
        audience_id=await make_audience(ctx, account.id),
        channels=(await make_channel(ctx, account.id),),
        preference="mute_all",
    )
    job_id = await make_job(ctx, account.id, items[1:], operation=operation, params=params, parallel=1)
    stale = await claim(crew[0])
    before = await _everything(ctx)
    await expire_leases(ctx)
    await reconcile(crew[1])
    await apply_chunk(crew[0], stale)
    assert await _everything(ctx) == before
    fresh = await claim(crew[1])
    await asyncio.gather(*(apply_chunk(worker, held) for worker in crew for held in (stale, fresh)))
    after = await _everything(ctx)
    assert after != before
    await apply_chunk(crew[2], fresh)
    assert await _everything(ctx) == after
    counts = counts_of(await job_of(ctx, account.id, job_id))
    assert (counts["updated"], sum(counts.values())) == (CHANGED[operation], 5)
    await assert_consistent(ctx)


async def _everything(ctx: Context) -> list[str]:
    """Return all data that an operation may change, as text."""
    tables = ("contacts", "memberships", "opt_ins", "contact_lists", "labels", "audiences")
    return [
        await ctx.pool.fetchval(f"SELECT string_agg(t::text, E'\\n' ORDER BY t::text) FROM {table} t") or ""
        for table in tables
    ]
