"""Apply chunks: every item has one result, and the counts of the job equal the results."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from schemas.states import Outcome
from storage.context import Context
from storage.pipeline import results
from storage.pipeline.chunks import Progress
from tests.factories import contact, make_account, make_job, phone
from tests.workers import claim, counts_of, drain, job_of, results_of
from worker.apply import apply_chunk
from worker.finish import finish_if_last
from worker.turn import take_turn


async def test_a_job_is_applied_and_ends(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(2500)])
    await drain(ctx, turns=1)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.created, job.total) == ("completed", 2500, 2500)


async def test_the_chunk_that_commits_last_ends_the_job_even_if_others_were_pending_when_it_was_recorded(
    crew: list[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = crew[0]
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(1), contact(2)], chunk_items=1)
    recorded, go_on = asyncio.Event(), asyncio.Event()
    record = results.record

    async def record_and_wait(*args: Any) -> Progress:
        progress = await record(*args)
        if not recorded.is_set():
            recorded.set()
            await go_on.wait()
        return progress

    monkeypatch.setattr(results, "record", record_and_wait)
    first = asyncio.create_task(take_turn(crew[0]))
    await recorded.wait()
    await take_turn(crew[1])  # applies and commits the other chunk, which is not the last one
    assert (await job_of(ctx, account.id, job_id)).state == "running"
    go_on.set()
    await first
    assert (await job_of(ctx, account.id, job_id)).state == "completed"


async def test_a_job_without_items_ends_completed(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [])
    await finish_if_last(ctx, account.id, job_id)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.total, counts_of(job)) == ("completed", 0, {})


async def test_the_counts_of_a_job_with_every_outcome_add_up(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    before = [contact(n, metadata={"n": n}) for n in range(100)]
    await make_job(ctx, account.id, before)
    await drain(ctx)
    unchanged = before[:40]
    updated = [contact(n, email=f"{n}@example.com") for n in range(40, 90)]
    created = [contact(n) for n in range(200, 260)]
    again = [
        contact(n % 10 + 200, name=f"Again {n}") for n in range(30)
    ]  # 20 repeat an item of their chunk, 10 an item of another
    failed = [{"phone": "12"}, {"name": "no phone"}, b"{", {"phone": phone(1), "name": "a\0b"}, [1], b"\xff"]
    items = [item for run in (unchanged, failed[:3], updated, created, failed[3:], again) for item in run]
    job_id = await make_job(ctx, account.id, items, chunk_items=16)
    await drain(*crew)
    job = await job_of(ctx, account.id, job_id)
    counts = counts_of(job)
    assert job.state == "completed_with_errors"
    assert counts == {"created": 60, "updated": 50, "unchanged": 40, "merged": 30, "failed": 6}
    assert sum(counts.values()) == job.total == len(items)
    results = await results_of(ctx, account.id, job_id)
    assert [result.index for result in results] == list(range(len(items)))
    assert Counter(result.outcome.word for result in results) == counts
    assert all((result.contact_id is None) == (result.outcome is Outcome.FAILED) for result in results)
    assert all((result.code is not None) == (result.outcome is Outcome.FAILED) for result in results)


async def test_a_running_job_counts_the_items_of_its_done_chunks(ctx: Context) -> None:
    account = await make_account(ctx)
    items = [{"phone": "12"} if n % 5 == 0 else contact(n % 7) for n in range(60)]
    job_id = await make_job(ctx, account.id, items, chunk_items=11)
    seen = set()
    while (job := await job_of(ctx, account.id, job_id)).state in ("queued", "running"):
        live = sum(getattr(job, name) for name in ("created", "updated", "unchanged", "merged", "failed"))
        done = await ctx.pool.fetchval("SELECT coalesce(sum(items), 0) FROM chunks WHERE state = 'done'")
        assert live == done
        seen.add(done)
        await apply_chunk(ctx, await claim(ctx))
    assert seen == {0, 11, 22, 33, 44, 55}
    assert sum(counts_of(job).values()) == 60
