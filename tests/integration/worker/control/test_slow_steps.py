"""Steps that take long leave their slots: what is in one account's way costs no other account its turn.

A lock in the way stays until the other account is served, and no time limit ends the wait for it.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from schemas.ids import JobId
from schemas.settings import Settings
from storage.background import beside
from storage.context import Context
from storage.entities.accounts import Account
from storage.slots import Slots
from tests.factories import contact, make_account, make_contacts, make_job
from tests.waiting import until
from tests.workers import barred, counts_of, drain, job_of, open_worker, serving, waiting_backends
from worker.bells.poll import Poll
from worker.context import JOB_SLOTS, SETTINGS, SLOW_STEPS
from worker.turn import take_turn

TURNS = 2


@pytest.fixture
async def worker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Context]:
    """Return a worker with the slots of production, which waits for locks without end."""
    monkeypatch.setitem(SETTINGS, "lock_timeout", "0")
    settings = settings.model_copy(update={"worker_turns": TURNS})
    async with open_worker(settings, size=settings.worker_pool_size) as ctx:
        yield replace(
            ctx,
            turn_slots=Slots(TURNS, places=SLOW_STEPS),
            job_slots=Slots(JOB_SLOTS, places=SLOW_STEPS),
        )


async def make_locked_job(ctx: Context, account: Account, **options: Any) -> JobId:
    """Make a job of four chunks, each with one contact. `lock_contacts` locks the contacts."""
    await make_contacts(ctx, account.id, range(4))
    items = [contact(n, name="New") for n in range(4)]
    return await make_job(ctx, account.id, items, chunk_items=1, **options)


def lock_contacts(account: Account) -> str:
    return f"SELECT FROM contacts WHERE account_id = {account.id} FOR UPDATE"


async def wait_for_lock(ctx: Context, number: int) -> bool:
    return len(await waiting_backends(ctx)) >= number


async def ended(ctx: Context, job_id: JobId) -> bool:
    state = await ctx.pool.fetchval("SELECT state FROM jobs WHERE id = $1", job_id)
    return state in {"completed", "completed_with_errors", "failed", "cancelled"}


async def test_chunks_that_wait_for_a_lock_cost_no_other_account_its_turn(
    ctx: Context, worker: Context
) -> None:
    locked, free = await make_account(ctx), await make_account(ctx)
    job = await make_locked_job(ctx, locked)
    async with barred(ctx, lock_contacts(locked)), serving(worker):
        await worker.queue.ring_work(TURNS)
        await until(partial(wait_for_lock, ctx, TURNS))
        other = await make_job(ctx, free.id, [contact(n) for n in range(10)])
        await worker.queue.ring_work()
        await until(partial(ended, ctx, other))
        assert not await ended(ctx, job)
        assert len(await waiting_backends(ctx)) >= TURNS  # the first chunks wait still
    await drain(ctx)
    assert counts_of(await job_of(ctx, locked.id, job)) == {"updated": 4}
    assert await ctx.pool.fetchval("SELECT max(deaths) FROM chunks") == 0


async def test_without_redis_chunks_that_wait_for_a_lock_cost_no_other_account_its_turn(
    ctx: Context, worker: Context
) -> None:
    locked, free = await make_account(ctx), await make_account(ctx)
    await make_locked_job(ctx, locked)
    async with barred(ctx, lock_contacts(locked)), beside(Poll(worker, lambda: False).run_forever()):
        await until(partial(wait_for_lock, ctx, TURNS))
        other = await make_job(ctx, free.id, [contact(n) for n in range(10)])
        await until(partial(ended, ctx, other))
        assert len(await waiting_backends(ctx)) >= TURNS
    await worker.turn_slots.wait()


async def test_the_next_chunk_follows_a_slow_one_without_the_reconciler(
    ctx: Context, worker: Context
) -> None:
    account = await make_account(ctx)
    job = await make_locked_job(ctx, account, parallel=1)
    async with serving(worker):
        async with barred(ctx, lock_contacts(account)):
            await worker.queue.ring_work()
            await until(partial(slot_is_left, worker))
        await until(partial(ended, ctx, job))
    assert counts_of(await job_of(ctx, account.id, job)) == {"updated": 4}


async def test_a_worker_that_stops_gives_back_a_slow_chunk_without_blame(
    ctx: Context, worker: Context
) -> None:
    account = await make_account(ctx)
    await make_locked_job(ctx, account)
    async with barred(ctx, lock_contacts(account)):
        await take_turn(worker)
        assert len(worker.held) == 1
        await worker.turn_slots.aclose()
    assert not worker.held
    rows = await ctx.pool.fetch("SELECT DISTINCT state, deaths, token FROM chunks")
    assert [tuple(row) for row in rows] == [("ready", 0, 0)]


async def test_small_jobs_that_fail_together_wait_shortly_for_locks(ctx: Context, worker: Context) -> None:
    accounts = [await make_account(ctx) for _ in range(4)]
    for account in accounts[:3]:
        await make_contacts(ctx, account.id, [1])
    jobs = [await make_job(ctx, account.id, [contact(1, name="New")]) for account in accounts]
    async with barred(ctx, "SELECT FROM contacts FOR UPDATE"):
        await take_turn(replace(worker, turn_slots=Slots(1, places=1, patience=60)))
        assert [await ended(ctx, job) for job in jobs] == [False] * 3 + [True]
        assert not worker.held
    await ctx.pool.execute("UPDATE jobs SET retry_at = NULL")
    await drain(ctx)
    assert [await ended(ctx, job) for job in jobs] == [True] * 4


async def test_finishes_that_wait_for_a_lock_delay_no_split(ctx: Context, worker: Context) -> None:
    locked, free = await make_account(ctx), await make_account(ctx)
    number = TURNS + JOB_SLOTS + 1
    finishes = [await make_job(ctx, locked.id, [], stream=f"label:{n}") for n in range(number)]
    turn = f"SELECT FROM account_turns WHERE account_id = {locked.id} FOR UPDATE"
    async with serving(worker):
        async with barred(ctx, turn):
            for job in finishes:
                await worker.queue.ring_finish(locked.id, job)
            await until(partial(wait_for_lock, ctx, JOB_SLOTS))
            other = await make_job(ctx, free.id, [contact(1)], split=False)
            await worker.queue.ring_split(free.id, other)
            await until(partial(ended, ctx, other))
            assert len(await waiting_backends(ctx)) >= JOB_SLOTS
        await worker.job_slots.wait()
        for job in finishes:
            await worker.queue.ring_finish(locked.id, job)
        for job in finishes:
            await until(partial(ended, ctx, job))


async def slot_is_left(ctx: Context) -> bool:
    """Return whether a turn that still runs has left its slot."""
    return not ctx.turn_slots.semaphore.locked() and bool(ctx.held)
