"""Claims never exceed the item window of their account, use all of it, and do not delay other accounts."""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

from schemas.ids import AccountId
from storage.context import Context
from storage.entities import accounts
from storage.entities.accounts import AccountChange
from storage.windows.window import MICROSECOND, Grant, Window
from tests.factories import contact, make_account, make_job
from tests.waiting import until
from tests.workers import (
    claim,
    claim_chunk,
    counts_of,
    drain,
    job_of,
    results_of,
    serving,
    unfinished,
    versions,
)
from worker import reconcile as reconciler
from worker.reconcile import reconcile, reconcile_forever
from worker.turn import take_turn

MILLISECOND = timedelta(milliseconds=1)

Grants = Sequence[tuple[datetime, int]]


class Take(NamedTuple):
    """A call of `Window.take`: the items it asks for, and the window's decision."""

    want: int
    minimum: int
    grant: Grant


@pytest.fixture
def takes(monkeypatch: pytest.MonkeyPatch) -> list[Take]:
    """Record each call of `Window.take` by any worker."""
    recorded: list[Take] = []
    take = Window.take

    async def take_and_record(window: Window, *, want: int, minimum: int, **options: Any) -> Grant:
        grant = await take(window, want=want, minimum=minimum, **options)
        assert grant is not None
        recorded.append(Take(want, minimum, grant))
        return grant

    monkeypatch.setattr(Window, "take", take_and_record)
    return recorded


async def grants_of(ctx: Context, account_id: AccountId) -> Grants:
    rows = await ctx.pool.fetch("SELECT at, items FROM grants WHERE account_id = $1 ORDER BY at", account_id)
    return [(row["at"], row["items"]) for row in rows]


def fullest_span(grants: Grants, seconds: float) -> int:
    """Return the most items that any closed span holds. A fullest span ends with a grant."""
    window = timedelta(seconds=seconds)
    return max(sum(items for at, items in grants if end - window <= at <= end) for end, _ in grants)


def room_at(grants: Grants, since: datetime, *, limit: int, seconds: float, room: int) -> datetime:
    """Return when the window has `room` items left, if nothing is granted after `since`.

    A grant counts until it is older than the window: it ends one microsecond after the window's length.
    """
    window = timedelta(seconds=seconds)
    counted = [(at + window + MICROSECOND, items) for at, items in grants if since - window <= at <= since]
    return next(
        end for end, _ in counted if limit - sum(items for other, items in counted if other > end) >= room
    )


async def test_four_workers_never_exceed_the_window_and_use_it_well(
    ctx: Context, crew: list[Context], takes: list[Take]
) -> None:
    account = await make_account(ctx, item_limit=100, window_seconds=2)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(300)], chunk_items=30, parallel=8)
    async with serving(*crew):
        await ctx.queue.ring_work(4)
        await until(lambda: _ended(ctx), seconds=60)
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 300}
    grants = await grants_of(ctx, account.id)
    assert sum(items for _, items in grants) == 300
    assert fullest_span(grants, 2) == 100
    granted = [take for take in takes if take.grant.granted]
    assert all(take.grant.granted == take.want or take.grant.remaining == 0 for take in granted)
    refused = [take for take in takes if not take.grant.granted]
    assert refused
    for _, minimum, grant in refused:  # refused only while full, and until the first moment with room
        assert grant.remaining < minimum
        room = room_at(grants, grant.at, limit=100, seconds=2, room=minimum)
        assert timedelta(0) <= grant.at + timedelta(seconds=grant.wait_seconds) - room < MILLISECOND


async def _ended(ctx: Context) -> bool:
    return await unfinished(ctx) == 0


async def test_the_window_survives_a_flush_of_redis(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=100, window_seconds=60)
    await make_job(ctx, account.id, [contact(n) for n in range(300)], chunk_items=40, parallel=8)
    assert [(await claim(ctx)).items for _ in range(3)] == [40, 40, 20]
    for _ in range(3):
        await ctx.queue.redis.flushall()
        await ctx.pool.execute("UPDATE account_turns SET ready_at = now()")
        assert await claim_chunk(ctx) is None
    assert sum(items for _, items in await grants_of(ctx, account.id)) == 100


async def test_random_flushes_do_not_exceed_the_window(ctx: Context, crew: list[Context]) -> None:
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


async def test_a_window_changed_twice_is_not_exceeded(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=10, window_seconds=60)
    await make_job(ctx, account.id, [contact(n) for n in range(100)], chunk_items=5, parallel=64)
    assert (await claim(ctx)).items == 5
    await accounts.update(ctx.pool, account.name, AccountChange(window_seconds=50))
    assert (await claim(ctx)).items == 5
    await accounts.update(ctx.pool, account.name, AccountChange(window_seconds=60))
    assert await claim_chunk(ctx) is None


async def test_a_longer_window_counts_grants_that_the_shorter_one_dropped(ctx: Context) -> None:
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


async def test_a_throttled_job_shows_its_end_and_other_accounts_continue(
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
    """Take turns until all jobs of one account have ended."""

    async def ended() -> bool:
        await asyncio.gather(*(take_turn(worker) for worker in crew))
        left = "SELECT count(*) FROM jobs WHERE account_id = $1 AND finished_at IS NULL"
        return not await ctx.pool.fetchval(left, account_id)

    await until(ended)


async def test_removing_the_limit_wakes_the_account(ctx: Context, crew: list[Context]) -> None:
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


async def test_a_throttled_account_continues_when_the_window_has_room(
    ctx: Context, crew: list[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "EVERY_SECONDS", 60)  # only the deferred bell can wake the account
    account = await make_account(ctx, item_limit=10, window_seconds=1)
    await make_job(ctx, account.id, [contact(n) for n in range(20)], chunk_items=10)
    beside = asyncio.create_task(reconcile_forever(crew[0]))
    async with serving(crew[0]):
        await ctx.queue.ring_work()
        await until(lambda: _ended(ctx), seconds=5)
    beside.cancel()
    first, last = await grants_of(ctx, account.id)
    assert timedelta(seconds=1) < last[0] - first[0] < timedelta(seconds=1.5)
