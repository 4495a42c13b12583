"""The limit of item errors of a job holds at each chunk, and whatever dies."""

from collections.abc import AsyncIterator

import pytest

from schemas.ids import AccountId
from schemas.settings import Settings
from storage.context import Context
from storage.pipeline import dry_runs
from tests.factories import contact, make_account, make_job
from tests.workers import claim, counts_of, drain, job_of, open_worker, results_of, unfinished
from worker import apply
from worker.apply import apply_chunk, complete
from worker.dry_run import dry_run_next
from worker.finish import finish_if_last
from worker.operations.base import Applied
from worker.prepare import prepare
from worker.prune import prune
from worker.turn import take_turn

BAD = {"phone": "x"}


@pytest.fixture
async def strict(settings: Settings) -> AsyncIterator[Context]:
    """Return a worker that allows 49 item errors in a job."""
    async with open_worker(settings.model_copy(update={"max_job_errors": 49})) as worker:
        yield worker


async def assert_stream_goes_on(ctx: Context, account_id: AccountId) -> None:
    job_id = await make_job(ctx, account_id, [contact(900)])
    await drain(ctx)
    assert (await job_of(ctx, account_id, job_id)).state == "completed"


async def test_too_many_item_errors_end_a_job_early(ctx: Context, strict: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [BAD] * 60, chunk_items=10)
    held = await claim(ctx)
    await take_turn(strict)
    await apply_chunk(ctx, held)
    await finish_if_last(ctx, account.id, job_id)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.error_code, job.total) == ("failed", "too_many_errors", 60)
    assert counts_of(job) == {"failed": 50, "cancelled": 10}
    assert len(await results_of(ctx, account.id, job_id)) == 60
    await assert_stream_goes_on(ctx, account.id)


async def test_as_many_item_errors_as_the_limit_end_no_job(ctx: Context, strict: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [BAD] * 49 + [contact(1)], chunk_items=10)
    await take_turn(strict)
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"failed": 49, "created": 1}


async def test_the_limit_is_checked_after_each_chunk(ctx: Context, strict: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [BAD] * 500, chunk_items=25)
    await take_turn(strict)  # has time for all of them
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.error_code) == ("failed", "too_many_errors")
    assert counts_of(job) == {"failed": 50, "cancelled": 450}


async def test_a_worker_that_dies_after_it_stored_an_error_too_many_hides_none(
    ctx: Context, strict: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*_: object) -> None:
        pass

    monkeypatch.setattr(apply, "stop_if_too_many_errors", die)
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [BAD] * 50 + [contact(1)], chunk_items=10)
    while await unfinished(ctx):
        await apply_chunk(strict, await claim(strict))
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.error_code) == ("failed", "too_many_errors")
    assert counts_of(job) == {"failed": 50, "created": 1}


async def test_small_jobs_that_are_applied_together_have_the_limit(ctx: Context, strict: Context) -> None:
    account = await make_account(ctx)
    jobs = [await make_job(ctx, account.id, [BAD] * 50), await make_job(ctx, account.id, [BAD] * 49)]
    await take_turn(strict)
    await take_turn(strict)
    ended = [await job_of(ctx, account.id, job_id) for job_id in jobs]
    assert [(job.state, job.error_code) for job in ended] == [
        ("failed", "too_many_errors"),
        ("completed_with_errors", None),
    ]


async def test_the_count_equals_the_stored_errors(ctx: Context) -> None:
    account = await make_account(ctx)
    taken = [contact(n, external_id="one") for n in range(3)]  # some are rejected after validation
    job_id = await make_job(ctx, account.id, [*taken, BAD, b"{", contact(9), BAD], chunk_items=2, parallel=1)
    await drain(ctx)
    counted = await ctx.pool.fetchval("SELECT errors FROM error_counts")
    assert counted == await ctx.pool.fetchval("SELECT count(*) FROM item_errors")
    assert counted == (await job_of(ctx, account.id, job_id)).failed
    assert counted >= 3


async def test_a_dry_run_has_the_limit(ctx: Context, strict: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [BAD] * 60, chunk_items=10, dry_run=True)
    await dry_run_next(strict)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.error_code) == ("failed", "too_many_errors")
    assert counts_of(job) == {"failed": 50, "cancelled": 10}
    await assert_stream_goes_on(ctx, account.id)


async def test_a_dry_run_that_starts_again_counts_anew(ctx: Context, strict: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [BAD] * 49, chunk_items=30, dry_run=True)
    first = await dry_runs.claim(ctx.pool)
    assert first is not None
    chunk = await dry_runs.next_chunk(ctx.pool, first, -1)
    assert chunk is not None
    assert await dry_runs.record(ctx.pool, complete(chunk, prepare(chunk), Applied()))
    await dry_runs.release(ctx.pool, first, blame=False)
    await dry_run_next(strict)
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"failed": 49}


async def test_the_count_is_deleted_with_its_job(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [BAD])
    await drain(ctx)
    assert await ctx.pool.fetchval("SELECT count(*) FROM error_counts") == 1
    await ctx.pool.execute("UPDATE jobs SET finished_at = now() - interval '10 years'")
    await prune(ctx)
    assert await ctx.pool.fetchval("SELECT count(*) FROM error_counts") == 0
