"""An error of ours delays a job, ends it if it cannot succeed, and blocks no stream for ever."""

from typing import Any

import asyncpg
import pytest

from schemas.ids import AccountId, JobId
from schemas.job_errors import JobErrorCode
from schemas.operations import JobParams, Operation
from storage.context import Context
from storage.pipeline import failures, split
from storage.pipeline.chunks import Members
from tests.factories import contact, make_account, make_job, make_label, make_list
from tests.integration.worker.cancelling import cancel, make_parts
from tests.workers import counts_of, drain, job_of, results_of
from worker import finish as finisher
from worker import split as splitter
from worker.attempt import MAX_FAILURES, fail_rest
from worker.dry_run import dry_run_next
from worker.finish import finish_if_last
from worker.split import split_job
from worker.turn import take_turn

HIDE = "ALTER TABLE contacts RENAME nickname TO away"  # as if a migration had not run
SHOW = "ALTER TABLE contacts RENAME away TO nickname"
NOW = "UPDATE jobs SET retry_at = now() WHERE retry_at IS NOT NULL"  # the delay is over


async def failures_of(ctx: Context, job_id: JobId) -> tuple[int, bool]:
    """Return the number of failures of a job, and whether it is delayed."""
    row = await ctx.pool.fetchrow("SELECT failures, delayed(retry_at) AS d FROM jobs WHERE id = $1", job_id)
    assert row is not None
    return row["failures"], row["d"]


async def assert_stream_goes_on(ctx: Context, account_id: AccountId) -> None:
    job_id = await make_job(ctx, account_id, [contact(900)])
    await drain(ctx)
    assert (await job_of(ctx, account_id, job_id)).state == "completed"


async def test_a_job_with_a_missing_part_fails_and_its_stream_goes_on(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_parts(ctx, account.id, parts=4, items=1_500)
    await ctx.pool.execute("DELETE FROM parts WHERE part = 2")
    await split_job(ctx, account.id, job_id)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.error_code, job.total) == ("failed", "parts_missing", 3_000)
    assert counts_of(job) == {"cancelled": 3_000}
    assert len(await results_of(ctx, account.id, job_id)) == 3_000
    await assert_stream_goes_on(ctx, account.id)


async def test_chunks_that_were_applied_before_a_job_fails_stay(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await make_account(ctx)
    job_id = await make_parts(ctx, account.id, parts=2, items=10)
    await ctx.pool.execute("DELETE FROM parts WHERE part = 1")
    with monkeypatch.context() as patch:
        patch.setattr(splitter, "SPLIT_SECONDS", -1.0)  # one part
        await split_job(ctx, account.id, job_id)
    await take_turn(ctx)
    await split_job(ctx, account.id, job_id)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.total, counts_of(job)) == ("failed", 10, {"created": 10})
    assert job.error_message is not None
    assert "missing" in job.error_message


async def test_a_job_whose_split_fails_repeatedly_fails(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await make_account(ctx)
    job_id = await make_parts(ctx, account.id, parts=2, items=10)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(splitter, "spans", broken)
    for failed in range(1, MAX_FAILURES):
        await split_job(ctx, account.id, job_id)
        assert await failures_of(ctx, job_id) == (failed, True)
        assert await split.unsplit(ctx.pool) == []
        await split_job(ctx, account.id, job_id)  # a bell that rings early changes nothing
        assert await failures_of(ctx, job_id) == (failed, True)
        await ctx.pool.execute(NOW)
    await split_job(ctx, account.id, job_id)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.error_code, job.total, counts_of(job)) == ("failed", "split_failed", 0, {})
    monkeypatch.undo()
    await assert_stream_goes_on(ctx, account.id)


async def test_a_success_resets_the_failures(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await make_account(ctx)
    job_id = await make_parts(ctx, account.id, parts=2, items=10)
    with monkeypatch.context() as patch:
        patch.setattr(splitter, "spans", None)
        await split_job(ctx, account.id, job_id)
    assert await failures_of(ctx, job_id) == (1, True)
    assert await failures.delayed(ctx.pool) == 1
    await ctx.pool.execute(NOW)
    await split_job(ctx, account.id, job_id)
    assert await failures_of(ctx, job_id) == (0, False)
    assert await failures.delayed(ctx.pool) == 0


async def test_a_job_that_cannot_be_split_can_be_cancelled(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_parts(ctx, account.id, parts=3, items=10)
    await ctx.pool.execute("DELETE FROM parts WHERE part = 1")
    await cancel(ctx, account.id, job_id)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.error_code, job.total) == ("cancelled", None, 10)
    assert counts_of(job) == {"cancelled": 10}


async def test_a_delayed_job_can_be_cancelled_at_once(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await make_account(ctx)
    job_id = await make_parts(ctx, account.id, parts=1, items=10)
    with monkeypatch.context() as patch:
        patch.setattr(splitter, "spans", None)
        await split_job(ctx, account.id, job_id)
    await cancel(ctx, account.id, job_id)
    assert (await job_of(ctx, account.id, job_id)).state == "cancelled"


async def test_a_job_whose_finish_fails_repeatedly_fails_without_its_closing_step(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    overwrite, params = Operation.LISTS_OVERWRITE, JobParams(list_id=list_id, region="US")
    await make_job(ctx, account.id, [contact(1)], operation=overwrite, params=params)
    await drain(ctx)

    async def broken(*_: object) -> None:
        raise asyncpg.UndefinedColumnError("a column is missing")

    monkeypatch.setattr(finisher, "_close", broken)
    job_id = await make_job(ctx, account.id, [contact(2)], operation=overwrite, params=params)
    await take_turn(ctx)
    for failed in range(1, MAX_FAILURES):
        assert await failures_of(ctx, job_id) == (failed, True)
        await finish_if_last(ctx, account.id, job_id)
        await ctx.pool.execute(NOW)
        await finish_if_last(ctx, account.id, job_id)
    monkeypatch.undo()
    await finish_if_last(ctx, account.id, job_id)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.error_code, counts_of(job)) == ("failed", "finish_failed", {"created": 1})
    assert await ctx.pool.fetchval("SELECT count(*) FROM memberships") == 2
    assert await ctx.pool.fetchval("SELECT pending FROM streams") == 0


async def test_a_job_that_fails_while_it_is_finished_runs_no_closing_step(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    overwrite, params = Operation.LISTS_OVERWRITE, JobParams(list_id=list_id, region="US")
    await make_job(ctx, account.id, [contact(1)], operation=overwrite, params=params)
    await drain(ctx)
    closing = finisher._close

    async def fail_meanwhile(*arguments: Any) -> Members:
        await fail_rest(ctx, account.id, job_id, JobErrorCode.TOO_MANY_ERRORS)
        return await closing(*arguments)

    monkeypatch.setattr(finisher, "_close", fail_meanwhile)
    job_id = await make_job(ctx, account.id, [contact(2)], operation=overwrite, params=params)
    await take_turn(ctx)
    monkeypatch.undo()
    await finish_if_last(ctx, account.id, job_id)
    assert (await job_of(ctx, account.id, job_id)).error_code == "too_many_errors"
    assert await ctx.pool.fetchval("SELECT count(*) FROM memberships") == 2
    assert await failures_of(ctx, job_id) == (0, False)


async def test_a_dry_run_that_fails_repeatedly_by_our_fault_fails(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(1)], dry_run=True)
    await ctx.pool.execute(HIDE)
    for failed in range(1, MAX_FAILURES):
        assert await dry_run_next(ctx)
        assert await failures_of(ctx, job_id) == (failed, True)
        assert not await dry_run_next(ctx)
        await ctx.pool.execute(NOW)
    assert await dry_run_next(ctx)
    await finish_if_last(ctx, account.id, job_id)
    await ctx.pool.execute(SHOW)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.error_code, counts_of(job)) == ("failed", "dry_run_failed", {"cancelled": 1})
    await assert_stream_goes_on(ctx, account.id)


@pytest.mark.parametrize("parallel", [1, 4])
async def test_an_error_of_ours_delays_the_job_and_condemns_no_item(ctx: Context, parallel: int) -> None:
    account = await make_account(ctx)
    items = [contact(n) for n in range(6)]
    job_id = await make_job(ctx, account.id, items, chunk_items=2, parallel=parallel)
    await ctx.pool.execute(HIDE)
    for failed in range(1, MAX_FAILURES + 3):
        await take_turn(ctx)
        assert await failures_of(ctx, job_id) == (failed, True)
        await ctx.pool.execute(NOW)
    assert await ctx.pool.fetchval("SELECT sum(deaths) FROM chunks") == 0
    await ctx.pool.execute(SHOW)
    await drain(ctx)
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 6}
    assert await failures_of(ctx, job_id) == (0, False)


async def test_a_delayed_job_delays_neither_other_streams_nor_other_accounts(ctx: Context) -> None:
    account, other = await make_account(ctx), await make_account(ctx)
    late = await make_job(ctx, account.id, [contact(1)])
    behind = await make_job(ctx, account.id, [contact(2)])
    await failures.count(ctx.pool, account.id, late)
    label = JobParams(label_id=await make_label(ctx, account.id), region="US")
    beside = await make_job(ctx, account.id, [contact(3)], operation=Operation.LABELS_ATTACH, params=label)
    elsewhere = await make_job(ctx, other.id, [contact(1)])
    await take_turn(ctx)
    states = [
        (await job_of(ctx, account_id, job_id)).state
        for account_id, job_id in (
            (account.id, late),
            (account.id, behind),
            (account.id, beside),
            (other.id, elsewhere),
        )
    ]
    assert states[:2] == ["queued", "queued"]
    assert states[3] == "completed"
    assert states[2].ended


@pytest.mark.parametrize("step", ["1 hour", "-1 hour"])
async def test_a_delay_survives_no_step_of_the_clock(ctx: Context, step: str) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(1)])
    await failures.count(ctx.pool, account.id, job_id)
    await ctx.pool.execute(f"UPDATE jobs SET retry_at = retry_at - interval '{step}'")
    await take_turn(ctx)
    assert (await job_of(ctx, account.id, job_id)).state == "completed"
