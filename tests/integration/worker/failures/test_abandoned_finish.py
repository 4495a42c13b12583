"""A finish whose worker dies is tried again, but not for ever. An interrupted one is released at once."""

import asyncio
from functools import partial

import pytest

from schemas.ids import AccountId, JobId
from schemas.job_errors import JobErrorCode
from storage.context import Context
from storage.pipeline import finish
from tests.factories import contact, make_account, make_job
from tests.workers import claim, drain, job_of
from worker import attempt
from worker import finish as finisher
from worker.apply import apply_chunk
from worker.attempt import MAX_FAILURES, fail_rest
from worker.finish import finish_if_last
from worker.reconcile import Leases, free_abandoned, reconcile

Job = tuple[AccountId, JobId]

EXPIRE = "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE lease_until IS NOT NULL"
NOW = "UPDATE jobs SET retry_at = now() WHERE retry_at IS NOT NULL"  # the delay is over
SAME = [contact(1, name=f"Name {n}") for n in range(3)]


@pytest.fixture
async def job(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Make a job whose chunks are applied, and which nobody has finished."""
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, SAME, chunk_items=1)
    with monkeypatch.context() as patch:
        patch.setattr(finish, "claim", _nothing)
        for _ in SAME:
            await apply_chunk(ctx, await claim(ctx))
    return account.id, job_id


async def _nothing(*_: object, **__: object) -> None:
    """Do nothing."""


async def die_in_finish(ctx: Context, job: Job) -> None:
    """Begin to finish a job, as a worker that dies before it ends it. Its lease expires."""
    assert await finish.claim(ctx.pool, *job) is not None
    await ctx.pool.execute(EXPIRE)


async def lease_of(ctx: Context, job: Job) -> tuple[bool, int]:
    """Return whether the finish of a job is leased, and the number of failures of the job."""
    row = await ctx.pool.fetchrow("SELECT token IS NOT NULL AS l, failures FROM jobs WHERE id = $1", job[1])
    assert row is not None
    return row["l"], row["failures"]


async def test_a_finish_that_kills_every_worker_is_left_out(ctx: Context, job: Job) -> None:
    for failures in range(1, MAX_FAILURES):
        await die_in_finish(ctx, job)
        await reconcile(ctx)
        assert await lease_of(ctx, job) == (False, failures)
    await die_in_finish(ctx, job)
    await reconcile(ctx)
    await finish_if_last(ctx, *job)
    ended = await job_of(ctx, *job)
    assert (ended.state, ended.error_code) == ("failed", "finish_failed")
    behind = await make_job(ctx, job[0], [contact(2)])
    await drain(ctx)
    assert (await job_of(ctx, job[0], behind)).state == "completed"


async def test_a_worker_that_dies_once_does_not_fail_the_job(ctx: Context, job: Job) -> None:
    await die_in_finish(ctx, job)
    await reconcile(ctx)
    await finish_if_last(ctx, *job)
    assert (await job_of(ctx, *job)).state == "completed"


async def test_only_the_reconciler_takes_over_an_expired_finish(ctx: Context, job: Job) -> None:
    await die_in_finish(ctx, job)
    assert await finish.unended(ctx.pool) == []
    await finish_if_last(ctx, *job)
    assert await lease_of(ctx, job) == (True, 0)


async def test_an_expired_finish_is_taken_over_after_its_holder_could_renew_it(
    ctx: Context, job: Job
) -> None:
    await die_in_finish(ctx, job)
    watch = Leases(clock=partial(next, iter((0.0, 1.0, 2.0))))
    for _ in range(2):
        await free_abandoned(ctx, watch)
        assert await lease_of(ctx, job) == (True, 0)
    await free_abandoned(ctx, watch)
    assert await lease_of(ctx, job) == (False, 1)


async def test_a_finish_that_is_ending_its_job_is_not_taken_over(ctx: Context, job: Job) -> None:
    claimed = await finish.claim(ctx.pool, *job)
    assert claimed is not None
    async with ctx.pool.acquire() as conn, conn.transaction():
        assert await finish.lock_finished(conn, claimed)
        await reconcile(ctx)
    assert await lease_of(ctx, job) == (True, 0)


async def test_a_worker_that_stops_releases_its_finish(
    ctx: Context, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = asyncio.Event()

    async def wait(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(finisher, "_close", wait)
    finishing = asyncio.create_task(finish_if_last(ctx, *job))
    await reached.wait()
    finishing.cancel()
    await asyncio.wait([finishing])
    assert await lease_of(ctx, job) == (False, 0)


async def test_a_finish_that_loses_its_connection_is_released_when_postgres_responds(
    ctx: Context, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(*_: object) -> None:
        raise ConnectionResetError

    calls = 0
    release = finish.release

    async def release_late(*arguments: object) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise ConnectionRefusedError
        await release(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(finisher, "_close", lose)
    monkeypatch.setattr(finish, "release", release_late)
    monkeypatch.setattr(attempt, "RENEW_SECONDS", 0.0, raising=False)
    with pytest.raises(ConnectionResetError):
        await finish_if_last(ctx, *job)
    assert await lease_of(ctx, job) == (False, 0)


async def test_a_failed_job_whose_finish_fails_ends(
    ctx: Context, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(finisher, "settle", broken)
    await fail_rest(ctx, *job, JobErrorCode.TOO_MANY_ERRORS)
    for _ in range(MAX_FAILURES + 1):
        await finish_if_last(ctx, *job)
        await ctx.pool.execute(NOW)
    ended = await job_of(ctx, *job)
    assert (ended.state, ended.error_code) == ("failed", "finish_failed")
