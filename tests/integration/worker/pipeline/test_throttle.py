"""The item window as claims use it: never exceeded, well used, remembered, and nobody else's burden."""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from schemas.ids import AccountId
from storage.context import Context
from storage.entities import accounts
from storage.entities.accounts import AccountChange
from tests.factories import contact, make_account, make_job
from tests.waiting import until
from tests.workers import (
    claim,
    counts_of,
    drain,
    job_of,
    results_of,
    serving,
    unfinished,
    versions,
)
from worker import reconcile as reconciler
from worker.claim import claim_chunk
from worker.reconcile import reconcile, reconcile_forever
from worker.turn import take_turn

Grants = Sequence[tuple[datetime, int]]


async def grants_of(ctx: Context, account_id: AccountId) -> Grants:
    rows = await ctx.pool.fetch("SELECT at, items FROM grants WHERE account_id = $1 ORDER BY at", account_id)
    return [(row["at"], row["items"]) for row in rows]


def fullest_span(grants: Grants, seconds: float) -> int:
    """The most that any closed span holds; a fullest one ends with a grant."""
    window = timedelta(seconds=seconds)
    return max(sum(items for at, items in grants if end - window <= at <= end) for end, _ in grants)


async def test_four_workers_never_exceed_the_window_and_use_it_well(
    ctx: Context, crew: list[Context]
) -> None:
    account = await make_account(ctx, item_limit=100, window_seconds=2)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(300)], chunk_items=30, parallel=8)
    async with serving(*crew):
        await ctx.queue.ring_work(4)
        await until(lambda: _ended(ctx), seconds=20)
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 300}
    grants = await grants_of(ctx, account.id)
    assert sum(items for _, items in grants) == 300
    assert fullest_span(grants, 2) <= 100
    took = (grants[-1][0] - grants[0][0]).total_seconds()
    assert 300 / (100 * (took / 2 + 1)) >= 0.95


async def _ended(ctx: Context) -> bool:
    return await unfinished(ctx) == 0


async def test_a_flush_does_not_make_the_window_forget(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=100, window_seconds=60)
    await make_job(ctx, account.id, [contact(n) for n in range(300)], chunk_items=40, parallel=8)
    assert [(await claim(ctx)).items for _ in range(3)] == [40, 40, 20]
    for _ in range(3):
        await ctx.queue.redis.flushall()
        await ctx.pool.execute("UPDATE account_turns SET ready_at = now()")
        assert await claim_chunk(ctx) is None
    assert sum(items for _, items in await grants_of(ctx, account.id)) == 100


async def test_flushes_at_any_moment_do_not_exceed_the_window(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx, item_limit=40, window_seconds=1)
    await make_job(ctx, account.id, [contact(n) for n in range(120)], chunk_items=7, parallel=8)
    rng = random.Random(3)

    async def flush_now_and_then() -> None:
        while True:
            await ctx.queue.redis.flushall()
            await asyncio.sleep(rng.random() * 0.04)

    flushing = asyncio.create_task(flush_now_and_then())
    await drain(*crew)
    flushing.cancel()
    grants = await grants_of(ctx, account.id)
    assert sum(items for _, items in grants) == 120
    assert fullest_span(grants, 1) <= 40


async def test_a_window_that_is_changed_and_changed_back_is_not_exceeded(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=10, window_seconds=60)
    await make_job(ctx, account.id, [contact(n) for n in range(100)], chunk_items=5, parallel=64)
    assert (await claim(ctx)).items == 5
    await accounts.update(ctx.pool, account.name, AccountChange(window_seconds=50))
    assert (await claim(ctx)).items == 5
    await accounts.update(ctx.pool, account.name, AccountChange(window_seconds=60))
    assert await claim_chunk(ctx) is None


async def test_a_window_that_is_made_longer_remembers_what_the_shorter_one_forgot(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=5, window_seconds=1)
    await make_job(ctx, account.id, [contact(n) for n in range(100)], chunk_items=5, parallel=64)
    for _ in range(3):
        await until(lambda: claim_chunk(ctx))
    await accounts.update(ctx.pool, account.name, AccountChange(item_limit=12, window_seconds=60))
    assert await claim_chunk(ctx) is None


async def test_a_window_smaller_than_a_chunk_cuts_it(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx, item_limit=7, window_seconds=1)
    items = [{"phone": "12"} if n in (6, 7, 13) else contact(n, name=f"Name {n}") for n in range(20)]
    job_id = await make_job(ctx, account.id, items)
    await drain(*crew)
    rows = await ctx.pool.fetch("SELECT first_index, items, skip FROM chunks ORDER BY first_index")
    assert [row["first_index"] for row in rows] == [row["skip"] for row in rows]
    assert all(a["first_index"] + a["items"] == b["first_index"] for a, b in pairwise(rows))
    assert (len(rows) >= 3, sum(row["items"] for row in rows)) == (True, 20)
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 17, "failed": 3}
    results = await results_of(ctx, account.id, job_id)
    assert [result.index for result in results if result.code] == [6, 7, 13]
    names = {row["id"]: row["name"] for row in await ctx.pool.fetch("SELECT id, name FROM contacts")}
    assert all(names[r.contact_id] == f"Name {r.index}" for r in results if r.contact_id is not None)
    assert fullest_span(await grants_of(ctx, account.id), 1) <= 7


async def test_a_throttled_job_says_until_when_and_the_others_go_on(
    ctx: Context, crew: list[Context]
) -> None:
    slow = await make_account(ctx, item_limit=10, window_seconds=3600)
    other = await make_account(ctx)
    slow_job = await make_job(ctx, slow.id, [contact(n) for n in range(50)], chunk_items=10)
    jobs = [await make_job(ctx, other.id, [contact(n) for n in range(20)], chunk_items=5) for _ in range(3)]
    await _turns_until(crew, ctx, other.id)
    assert [(await job_of(ctx, other.id, job)).state for job in jobs] == ["completed"] * 3
    job = await job_of(ctx, slow.id, slow_job)
    assert job.state == "running"
    assert len(await versions(ctx, slow.id)) == 10
    (at, _), *_ = await grants_of(ctx, slow.id)
    expected = at + timedelta(hours=1)
    assert job.throttled_until is not None
    assert abs(job.throttled_until - expected) < timedelta(seconds=5)


async def _turns_until(crew: list[Context], ctx: Context, account_id: AccountId) -> None:
    """Until all jobs of one account have ended."""

    async def ended() -> bool:
        await asyncio.gather(*(take_turn(worker) for worker in crew))
        left = "SELECT count(*) FROM jobs WHERE account_id = $1 AND finished_at IS NULL"
        return not await ctx.pool.fetchval(left, account_id)

    await until(ended)


async def test_to_lift_the_limit_wakes_the_account(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx, item_limit=10, window_seconds=3600)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(50)], chunk_items=10)
    assert (await claim(ctx)).items == 10
    assert await claim_chunk(ctx) is None
    await reconcile(ctx)
    assert await claim_chunk(ctx) is None
    await ctx.pool.execute("UPDATE chunks SET state = 'ready' WHERE state = 'running'")
    await accounts.update(ctx.pool, account.name, AccountChange(item_limit=0))
    await drain(*crew)
    job = await job_of(ctx, account.id, job_id)
    assert counts_of(job) == {"created": 50}
    assert job.throttled_until is None


async def test_a_throttled_account_goes_on_by_itself(
    ctx: Context, crew: list[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "EVERY_SECONDS", 60)  # so that it is the deferred doorbell that wakes it
    account = await make_account(ctx, item_limit=10, window_seconds=1)
    await make_job(ctx, account.id, [contact(n) for n in range(20)], chunk_items=10)
    beside = asyncio.create_task(reconcile_forever(crew[0]))
    async with serving(crew[0]):
        await ctx.queue.ring_work()
        await until(lambda: _ended(ctx), seconds=5)
    beside.cancel()
    first, last = await grants_of(ctx, account.id)
    assert timedelta(seconds=1) < last[0] - first[0] < timedelta(seconds=1.5)
