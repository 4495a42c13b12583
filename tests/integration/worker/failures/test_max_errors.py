"""`max_errors` stops a job early: applied items stay, the rest is cancelled, and the job says why."""

from typing import Any

import pytest

from schemas.ids import AccountId, JobId
from schemas.job_errors import JobErrorCode
from schemas.operations import JobParams, Operation
from storage.context import Context
from storage.pipeline import cancellation, dry_runs
from storage.pipeline.jobs import JobRow
from tests.factories import contact, make_account, make_contacts, make_job, make_list
from tests.integration.worker.job_runs import members_of
from tests.workers import claim, counts_of, drain, job_of, results_of, unfinished
from worker import apply
from worker.apply import apply_chunk, complete
from worker.dry_run import dry_run_next
from worker.finish import finish_if_last
from worker.operations.base import Applied
from worker.prepare import prepare
from worker.split import split_job
from worker.turn import take_turn

BAD = {"phone": "x"}
GOOD = [contact(n) for n in range(200)]


async def submit(ctx: Context, account_id: AccountId, items: list[Any], limit: str, **options: Any) -> JobId:
    """Accept a job with `max_errors`, whose chunks are applied one by one."""
    params = JobParams(region="US", max_errors=limit)
    return await make_job(ctx, account_id, items, params=params, parallel=1, **options)


async def assert_stopped(ctx: Context, account_id: AccountId, job_id: JobId, **counts: int) -> JobRow:
    """Assert that a job was stopped with these counts, and that each item has a result."""
    job = await job_of(ctx, account_id, job_id)
    assert (job.state, job.error_code) == ("cancelled", "max_errors_exceeded")
    assert counts_of(job) == counts
    assert len(await results_of(ctx, account_id, job_id)) == job.total == sum(counts.values())
    return job


@pytest.mark.parametrize(
    ("limit", "stopped"), [("0", 5), ("4", 5), ("5", 10), ("9", 10), ("0%", 100), ("4%", 100)]
)
async def test_the_first_chunk_over_the_limit_is_the_last(ctx: Context, limit: str, stopped: int) -> None:
    """Each chunk has five items, of which one fails; a percentage judges 100 items."""
    account = await make_account(ctx)
    items = [BAD if n % 5 == 0 else GOOD[n] for n in range(200)]
    if not limit.endswith("%"):
        items = [BAD] * 200
    job_id = await submit(ctx, account.id, items, limit, chunk_items=5)
    await drain(ctx, turns=1)
    failed = items[:stopped].count(BAD)
    counts = {"created": stopped - failed, "failed": failed, "cancelled": 200 - stopped}
    counts = {name: count for name, count in counts.items() if count}
    job = await assert_stopped(ctx, account.id, job_id, **counts)
    assert job.error_message is not None
    assert job.error_message.startswith(f"{failed} of the {stopped} items that were applied by then failed")
    assert f"max_errors is {limit}" in job.error_message


@pytest.mark.parametrize("limit", ["1", "20%", "100%"])
async def test_as_many_errors_as_the_limit_stop_nothing(ctx: Context, limit: str) -> None:
    account = await make_account(ctx)
    job_id = await submit(ctx, account.id, [BAD, *GOOD[:4]], limit, chunk_items=1)
    await drain(ctx)
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 4, "failed": 1}


async def test_a_small_job_over_the_limit_is_not_completed_and_nothing_is_closed(ctx: Context) -> None:
    """All its items were applied, but an overwrite removes nobody."""
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    (old,) = await make_contacts(ctx, account.id, [500])
    await ctx.pool.execute(
        "INSERT INTO memberships (account_id, kind, owner_id, contact_id) VALUES ($1, 'list', $2, $3)",
        account.id, list_id, old,
    )  # fmt: skip
    params = JobParams(region="US", list_id=list_id, max_errors="10%")
    items = [GOOD[0], BAD, GOOD[1]]
    overwrite = await make_job(ctx, account.id, items, operation=Operation.LISTS_OVERWRITE, params=params)
    together = [await submit(ctx, account.id, [BAD, GOOD[n]], limit) for n, limit in [(2, "0"), (3, "1")]]
    await drain(ctx)
    await assert_stopped(ctx, account.id, overwrite, created=2, failed=1)
    assert old in await members_of(ctx, "list", list_id)
    await assert_stopped(ctx, account.id, together[0], created=1, failed=1)
    assert (await job_of(ctx, account.id, together[1])).state == "completed_with_errors"


async def test_a_worker_that_dies_before_it_stops_the_job_hides_nothing(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*_: object) -> None:
        pass

    monkeypatch.setattr(apply, "stop_if_too_many_errors", die)
    account = await make_account(ctx)
    job_id = await submit(ctx, account.id, [BAD, *GOOD[:9]], "5%", chunk_items=5)
    while await unfinished(ctx):
        await apply_chunk(ctx, await claim(ctx))
    await assert_stopped(ctx, account.id, job_id, created=9, failed=1)


async def test_chunks_in_flight_are_applied_and_counted(ctx: Context) -> None:
    account = await make_account(ctx)
    params = JobParams(region="US", max_errors="0")
    job_id = await make_job(ctx, account.id, [BAD] * 6, params=params, chunk_items=1, parallel=3)
    held = [await claim(ctx) for _ in range(2)]
    await take_turn(ctx)
    for chunk in held:  # their claims were cancelled, so the fence stops them
        await apply_chunk(ctx, chunk)
    await assert_stopped(ctx, account.id, job_id, failed=1, cancelled=5)


async def test_the_parts_that_are_not_split_are_cancelled_too(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await submit(ctx, account.id, [BAD] * 7, "0", split=False)
    code = JobErrorCode.MAX_ERRORS_EXCEEDED
    assert await cancellation.cancel_rest(ctx.pool, account.id, job_id, code, "1 of the 1 items failed")
    await split_job(ctx, account.id, job_id)
    await assert_stopped(ctx, account.id, job_id, cancelled=7)


async def test_a_split_that_fails_after_the_stop_keeps_the_reason(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await submit(ctx, account.id, [BAD] * 7, "0", split=False)
    code = JobErrorCode.MAX_ERRORS_EXCEEDED
    await cancellation.cancel_rest(ctx.pool, account.id, job_id, code, "1 of the 1 items failed")
    await cancellation.fail_rest(ctx.pool, account.id, job_id, JobErrorCode.SPLIT_FAILED)
    await finish_if_last(ctx, account.id, job_id)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.error_code, job.total) == ("cancelled", "max_errors_exceeded", 0)


async def test_a_job_that_its_client_cancelled_first_has_no_reason(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await submit(ctx, account.id, [BAD] * 4, "0", chunk_items=2)
    held = await claim(ctx)
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute("UPDATE jobs SET cancel_requested_at = now()")
    await apply_chunk(ctx, held)
    await cancellation.cancel(ctx.pool, account.id, job_id)
    await finish_if_last(ctx, account.id, job_id)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.error_code) == ("cancelled", None)
    assert counts_of(job) == {"failed": 2, "cancelled": 2}


async def test_a_dry_run_that_starts_again_counts_each_error_once(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await submit(ctx, account.id, [BAD] * 3 + GOOD[:9], "3", chunk_items=4, dry_run=True)
    first = await dry_runs.claim(ctx.pool)
    assert first is not None
    chunk = await dry_runs.next_chunk(ctx.pool, first, -1)
    assert chunk is not None
    assert await dry_runs.record(ctx.pool, complete(chunk, prepare(chunk), Applied()))
    await dry_runs.release(ctx.pool, first, blame=False)
    await dry_run_next(ctx)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, counts_of(job)) == ("completed_with_errors", {"created": 9, "failed": 3})


async def test_a_dry_run_is_stopped_too(ctx: Context) -> None:
    account = await make_account(ctx)
    early = await submit(ctx, account.id, [BAD] * 60, "10", chunk_items=20, dry_run=True)
    late = await submit(ctx, account.id, [*GOOD[:9], BAD, *GOOD[9:19]], "1%", chunk_items=10, dry_run=True)
    fine = await submit(ctx, account.id, [*GOOD[:9], BAD], "10%", chunk_items=2, dry_run=True)
    while await dry_run_next(ctx):
        pass
    await assert_stopped(ctx, account.id, early, failed=20, cancelled=40)
    await assert_stopped(ctx, account.id, late, created=19, failed=1)
    assert (await job_of(ctx, account.id, fine)).state == "completed_with_errors"
    assert await ctx.pool.fetchval("SELECT count(*) FROM contacts") == 0
