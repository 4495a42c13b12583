"""Jobs that cannot be split or finished at the moment hide no other jobs from the reconciler."""

import pytest

from schemas.ids import AccountId, JobId
from storage.context import Context
from storage.pipeline import failures, finish, split
from storage.pipeline.split import JOBS_A_ROUND
from storage.postgres import transactions
from tests.factories import contact, make_account, make_job
from tests.integration.worker.cancelling import make_parts
from tests.workers import barred, drain, job_of, unfinished
from worker.finish import finish_if_last
from worker.split import split_job

LATER = "UPDATE jobs SET retry_at = now() WHERE retry_at IS NOT NULL"  # the delay is over
LEASES = "SELECT count(*) FROM jobs WHERE lease_until IS NOT NULL"


async def many(ctx: Context, *, split: bool) -> list[tuple[AccountId, JobId]]:
    """Make one job more than a round of the reconciler reads; the oldest is first."""
    account = await make_account(ctx)
    items = [] if split else [contact(1)]
    return [
        (account.id, await make_job(ctx, account.id, items, split=split)) for _ in range(JOBS_A_ROUND + 1)
    ]


async def delayed(ctx: Context, job_id: JobId) -> bool:
    """Return whether a job is delayed. It must have no failures."""
    row = await ctx.pool.fetchrow("SELECT failures, delayed(retry_at) AS d FROM jobs WHERE id = $1", job_id)
    assert row is not None
    assert row["failures"] == 0
    return bool(row["d"])


async def test_jobs_that_could_not_be_split_hide_no_other(ctx: Context) -> None:
    *tried, last = await many(ctx, split=False)
    for job in tried:
        await failures.postpone(ctx.pool, *job)
    await ctx.pool.execute(LATER)
    assert (await split.unsplit(ctx.pool))[0] == last


async def test_jobs_that_could_not_be_finished_hide_no_other(ctx: Context) -> None:
    *tried, last = await many(ctx, split=True)
    for job in tried:
        await failures.postpone(ctx.pool, *job)
    await ctx.pool.execute(LATER)
    assert (await finish.unended(ctx.pool))[0] == last


async def test_locked_jobs_hide_no_other(ctx: Context) -> None:
    *_, unended = await many(ctx, split=True)
    *_, unsplit = await many(ctx, split=False)
    others = f"SELECT FROM jobs WHERE id NOT IN ('{unended[1]}', '{unsplit[1]}') FOR UPDATE"
    async with barred(ctx, others):
        assert await finish.unended(ctx.pool) == [unended]
        assert await split.unsplit(ctx.pool) == [unsplit]


async def test_a_split_that_waits_for_a_lock_delays_its_job(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_parts(ctx, account.id, parts=1, items=2)
    async with barred(ctx, "LOCK TABLE chunks IN SHARE MODE"):
        await split_job(ctx, account.id, job_id)
    assert await delayed(ctx, job_id)
    assert await split.unsplit(ctx.pool) == []
    await ctx.pool.execute(LATER)
    await split_job(ctx, account.id, job_id)
    await drain(ctx)
    assert (await job_of(ctx, account.id, job_id)).state == "completed"


async def test_a_finish_that_waits_for_a_lock_delays_its_job(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "LONG_WAIT", "SET LOCAL lock_timeout = '300ms'")
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [])
    async with barred(ctx, "SELECT FROM account_turns FOR UPDATE"):
        await finish_if_last(ctx, account.id, job_id)
    assert await delayed(ctx, job_id)
    assert await ctx.pool.fetchval(LEASES) == 0
    await ctx.pool.execute(LATER)
    await finish_if_last(ctx, account.id, job_id)
    assert await unfinished(ctx) == 0
