"""Bells: their number is bounded, single jobs do not wait for turns, and no work is left without a bell."""

import asyncio
import time
from contextlib import AsyncExitStack
from functools import partial
from uuid import uuid4

import pytest
from arq.constants import in_progress_key_prefix

from schemas.ids import AccountId, JobId
from storage import queue
from storage.announcements import Announcement, announcements
from storage.context import Context
from tests.factories import contact, make_account, make_job
from tests.waiting import until
from tests.workers import TURNS, bells, job_of, serving, unfinished
from worker.reconcile import EVERY_SECONDS


async def _in_queue(ctx: Context) -> list[str]:
    redis = ctx.queue.redis
    return [bell.decode() for bell in await redis.zrange(redis.default_queue_name, 0, -1)]


async def _begin_to_serve(ctx: Context, bell: str) -> None:
    """Do what arq does when it takes a bell."""
    await ctx.queue.redis.set(in_progress_key_prefix + bell, "1")


async def test_the_number_of_bells_does_not_grow_with_the_work(ctx: Context) -> None:
    account = await make_account(ctx)
    job = await make_job(ctx, account.id, [contact(1)])
    for _ in range(100):
        await ctx.queue.ring_work(8)
        await ctx.queue.ring_split(account.id, job)
        await ctx.queue.ring_finish(account.id, job)
        await ctx.queue.ring_dry_run()
    assert await bells(ctx) == {"work": queue.WORK_BELLS, "split": 1, "finish": 1, "dry_run": 1}


async def test_bells_for_later_are_coalesced(ctx: Context) -> None:
    for number in range(100):
        await ctx.queue.ring_work(after_seconds=500 - number / 1000)
    assert (await bells(ctx))["work"] <= 20  # two moments, and one more for each 100 ms that this takes
    assert await ctx.queue.next_bell(0) < float("inf")


@pytest.mark.parametrize("wait", [0.001, 0.02, 1, 1.98, 2.001, 2.5, 9.9, 10, 3600])
def test_a_bell_for_later_is_late_by_a_hundredth_of_the_wait_and_never_early(wait: float) -> None:
    for now in (1_700_000_000.0, 1_700_000_000.001, 1_700_000_000.0991):
        late = queue.later(now, wait) / 1000 - (now + wait)
        assert -0.000_001 < late <= max(0.01, min(0.1, wait / 100))


async def test_a_bell_that_became_due_since_the_last_look_is_found(ctx: Context) -> None:
    looked_at = time.time()
    await ctx.queue.ring_work(after_seconds=0.001)
    due = await ctx.queue.next_bell(looked_at)
    await until(lambda: _is_past(due))
    assert await ctx.queue.next_bell(looked_at) == due
    assert await ctx.queue.next_bell(due) == float("inf")


async def test_work_that_comes_while_a_bell_is_served_rings_another_one(ctx: Context) -> None:
    await ctx.queue.ring_work()
    (first,) = await _in_queue(ctx)
    await _begin_to_serve(ctx, first)
    await ctx.queue.ring_work()
    assert len(await _in_queue(ctx)) == 2


async def test_a_bell_that_is_heard_can_be_rung_again(ctx: Context) -> None:
    account = await make_account(ctx)
    job = await make_job(ctx, account.id, [contact(1)])
    await ctx.queue.ring_split(account.id, job)
    (first,) = await _in_queue(ctx)
    await _begin_to_serve(ctx, first)
    await ctx.queue.ring_split(account.id, job)
    assert await _in_queue(ctx) == [first]
    await ctx.queue.hear(first)
    await ctx.queue.ring_split(account.id, job)
    assert len(await _in_queue(ctx)) == 2


async def test_the_bell_of_a_dead_worker_is_rung_again(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    await ctx.queue.ring_dry_run()
    (first,) = await _in_queue(ctx)
    await _begin_to_serve(ctx, first)
    await ctx.queue.ring_dry_run()
    assert await _in_queue(ctx) == [first]
    monkeypatch.setattr(queue, "PATIENCE_SECONDS", 0.0)
    await ctx.queue.ring_dry_run()
    assert len(await _in_queue(ctx)) == 2


def test_the_bell_of_a_dead_worker_is_rung_again_within_the_promised_time() -> None:
    assert queue.PATIENCE_SECONDS + 2 * EVERY_SECONDS < 10


async def test_bells_are_taken_once_single_jobs_first_and_the_oldest_first(
    ctx: Context, crew: list[Context]
) -> None:
    account = await make_account(ctx)
    jobs = [await make_job(ctx, account.id, [contact(1)], split=False) for _ in range(2)]
    await ctx.queue.ring_work(3)
    await ctx.queue.ring_work(after_seconds=60)
    for job in jobs:
        await ctx.queue.ring_split(account.id, job)
    rung = await _in_queue(ctx)
    first = await take(crew[0], most=3, turns=2)
    assert [bell.rsplit(":", 2)[0] for bell, _ in first.bells] == [
        *(f"split:{job}" for job in jobs),
        "work:0",
    ]
    assert first.waits
    assert not (await take(crew[1], most=0, turns=0)).bells
    second = await take(crew[1], most=9, turns=1)
    assert _fields(second) == ["work:1"]
    assert second.waits
    third = await take(crew[1], most=9, turns=9)
    assert _fields(third) == ["work:2"]  # the other one is not due
    assert not third.waits
    assert await _in_queue(ctx) == rung  # a bell leaves the queue when it is served
    assert await _are_served(ctx, 5)


async def test_to_take_bells_is_one_call_to_redis(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    job = await make_job(ctx, account.id, [contact(1)])
    async with serving(crew[0]):
        await until(lambda: _are_blocked(ctx, 1))
        await ctx.queue.redis.config_resetstat()
        await ctx.queue.ring_work()
        await until(lambda: _ended(ctx))
        calls = await ctx.queue.redis.info("commandstats")
    assert not {"cmdstat_watch", "cmdstat_mget"} & set(calls)
    assert (await job_of(ctx, account.id, job)).state == "completed"


async def test_one_ring_wakes_one_waiting_worker(crew: list[Context]) -> None:
    waits = [asyncio.create_task(worker.queue.wait_for_ring(4.0)) for worker in crew[:2]]
    await until(lambda: _are_blocked(crew[2], 2))
    await crew[2].queue.ring_work()
    done, waiting = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in done] == [True]
    assert len(waiting) == 1
    await crew[2].queue.ring_work()
    assert [await task for task in waiting] == [True]


async def test_a_worker_without_a_free_turn_passes_a_ring_on(ctx: Context, crew: list[Context]) -> None:
    async with AsyncExitStack() as slots:
        for _ in range(TURNS):
            await slots.enter_async_context(crew[0].turn_slots.semaphore)
        async with serving(crew[0]):
            for served in range(1, crew[0].settings.worker_turns + 1):
                await until(lambda: _are_blocked(ctx, 1))
                await ctx.queue.ring_work()
                await until(partial(_are_served, ctx, served))
            await until(lambda: _are_blocked(ctx, 1))  # the busy worker waits for rings still
            other = asyncio.create_task(crew[1].queue.wait_for_ring(4.0))
            await until(lambda: _are_blocked(ctx, 2))
            await ctx.queue.ring_work()
            assert await other
            await slots.aclose()


async def test_the_ends_of_several_jobs_are_announced_at_once(ctx: Context) -> None:
    jobs = [JobId(uuid4()) for _ in range(3)]
    heard = announcements(ctx.queue.redis)
    assert await anext(heard) is None
    await ctx.announcer.end([(AccountId(1), job) for job in jobs])
    assert await anext(heard) == Announcement(changed=[AccountId(1)], ended=jobs)
    await heard.aclose()


async def test_single_jobs_do_not_wait_for_turns(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    job = await make_job(ctx, account.id, [contact(n) for n in range(3)], split=False)
    async with AsyncExitStack() as slots:
        for _ in range(TURNS):
            await slots.enter_async_context(crew[0].turn_slots.semaphore)
        async with serving(crew[0]):
            await ctx.queue.ring_work(queue.WORK_BELLS)
            await until(lambda: _are_served(ctx, crew[0].settings.worker_turns))
            await ctx.queue.ring_split(account.id, job)
            await until(lambda: _is_split(ctx))
            assert await unfinished(ctx) == 1
            assert (await bells(ctx))["work"] == queue.WORK_BELLS
            await slots.aclose()
            await until(lambda: _ended(ctx))


def _fields(taken: queue.Taken) -> list[str]:
    return [bell.rsplit(":", 2)[0] for bell, _ in taken.bells]


async def take(ctx: Context, *, most: int, turns: int) -> queue.Taken:
    return await ctx.queue.take_bells(most=most, turns=turns, read=100, seconds=60)


async def _are_blocked(ctx: Context, number: int) -> bool:
    return bool((await ctx.queue.redis.info("clients"))["blocked_clients"] == number)


async def _are_served(ctx: Context, number: int) -> bool:
    return len([key async for key in ctx.queue.redis.scan_iter(f"{in_progress_key_prefix}*")]) == number


async def _is_split(ctx: Context) -> bool:
    return bool(await ctx.pool.fetchval("SELECT total FROM jobs"))


async def _is_past(moment: float) -> bool:
    return time.time() > moment


async def _ended(ctx: Context) -> bool:
    return not await unfinished(ctx)
