"""Finish a job after its last chunk: settle, run the closing step, set the terminal state."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from schemas.error_limit import excess_of
from schemas.ids import AccountId, JobId, show_job_id
from schemas.job_errors import JobErrorCode
from schemas.metrics import JOBS_ENDED
from schemas.noted_metrics import count
from storage import pruning
from storage.context import Context
from storage.failpoints import reach
from storage.images import before_images
from storage.pipeline import dry_runs, finish, results
from storage.pipeline.chunks import Members
from storage.pipeline.finish import End, Finishing
from storage.pipeline.leases import renewing
from storage.postgres.pool import Conn
from storage.postgres.transactions import transaction
from worker.attempt import attempting, releasing
from worker.job_spans import note_end, span_of_job
from worker.operations.registry import operation_of
from worker.settle import settle

logger = logging.getLogger(__name__)


class _LostFinish(Exception):
    """Another worker took over the expired lease, or the job has failed as a whole since it was claimed."""


async def finish_if_last(ctx: Context, account_id: AccountId, job_id: JobId) -> None:
    """Finish the job if all its chunks are applied or cancelled. Safe to call at any time, repeatedly.

    If it fails repeatedly by an error of ours, the job ends without being settled and without a closing step.
    """
    async with attempting(ctx, account_id, job_id, JobErrorCode.FINISH_FAILED):
        job = await finish.claim(ctx.pool, account_id, job_id)
        if job is None:
            return
        with suppress(_LostFinish), span_of_job("job.finish", job):  # the former is not counted as a failure
            await _finish(ctx, job)


async def _finish(ctx: Context, job: Finishing) -> None:
    async with (
        releasing(ctx, partial(finish.release, ctx.pool, job), what="a finish"),
        renewing(partial(finish.renew, ctx.pool, job), what="the lease of a finish"),
    ):
        end = await _settle_and_end(ctx, await _with_limit(ctx, job))
    reach("finish.after_commit")
    if end:
        count(JOBS_ENDED, job.operation, end.state)
        note_end(end.state)
        await announce(ctx, [end], next_turns=ctx.settings.parallel)
        await drop_parts(ctx, end)


async def _with_limit(ctx: Context, job: Finishing) -> Finishing:
    """Record it on a job if too many of its items have failed, unless the job was stopped before."""
    if job.error_code is not None or job.cancelled:
        return job
    most = ctx.settings.max_job_errors
    excess = excess_of(job.tally, max_errors=job.params.max_errors, max_job_errors=most)
    return await finish.stop(ctx.pool, job, excess) if excess else job


async def ring_finish(ctx: Context, account_id: AccountId, job_id: JobId) -> None:
    """Ring for the finish, in place of `finish_if_last`, which may take long."""
    await ctx.queue.ring_finish(account_id, job_id)


async def _settle_and_end(ctx: Context, job: Finishing) -> End | None:
    """Settle and merge only if a contact is named twice. In most jobs none is, and both sort all results."""
    repeated = False
    if _is_settled(job):
        async with transaction(ctx.pool, unlimited_time=True) as conn:
            repeated = await results.any_repeated(conn, job.account_id, job.job_id)
    if repeated:
        await settle(ctx, job)
    return await _close_and_end(ctx, job, repeated=repeated)


async def _close_and_end(ctx: Context, job: Finishing, *, repeated: bool) -> End | None:
    """Run the closing step, merge results, and end the job in one transaction.

    The first two may take long, and other transactions need the row of the job, so the job is locked only
    after them. That lock is the fence: if another worker has taken over, all of it is rolled back. COMMIT
    waits for the disk, because the commits of the chunks did not.
    """
    async with transaction(ctx.pool, durable=True, unlimited_time=True, long_wait=True) as conn:
        members = await _close(ctx, conn, job)
        if repeated:
            await results.merge_repeated(conn, job.account_id, job.job_id)
        if not await finish.lock_finished(conn, job):
            raise _LostFinish
        # a dry run was stopped: no closing step, but results to correct
        if job.dry_run and job.error_code != JobErrorCode.FINISH_FAILED:
            await dry_runs.correct_results(conn, job.account_id, job.job_id)
        end = await finish.end(conn, job.account_id, job.job_id, members)
        reach("finish.before_commit")
        return end


def _is_settled(job: Finishing) -> bool:
    return job.overlaps and not job.dry_run and job.error_code != JobErrorCode.FINISH_FAILED


async def _close(ctx: Context, conn: Conn, job: Finishing) -> Members:
    """Run the operation's closing step, unless the job was stopped or is a dry run."""
    if job.dry_run or job.cancelled or job.error_code is not None:
        return Members()
    if ctx.settings.keeps_images:
        await before_images.begin(conn, job.job_id)
    return await operation_of(job.operation).close(conn, job)


async def announce(ctx: Context, ends: Sequence[End], *, next_turns: int) -> None:
    """Announce the ends to clients that wait for the jobs, and ring for `next_turns` turns.

    The next jobs of the streams may be ready, dry runs may wait there, and deliveries to webhooks.
    """
    # one record for all: a record for each small job would take a tenth of its time
    logger.info("; ".join([f"job {show_job_id(end.job_id)} ended: {end.state}" for end in ends]))
    await ctx.announcer.end([(end.account_id, end.job_id) for end in ends])
    if next_turns:
        await ctx.queue.ring_work(next_turns)
    if any(end.dry_run_waits for end in ends):
        await ctx.queue.ring_dry_run()
    if any(end.webhook_waits for end in ends):
        ctx.webhook_bell.set()


async def drop_parts(ctx: Context, end: End) -> None:
    """Delete the parts of a job that has ended, after its end was announced: they may be many.

    Nothing reads them any more. After an error, pruning deletes them.
    """
    try:
        await pruning.parts(ctx.pool, end.account_id, end.job_id)
    except Exception as error:
        logger.warning("pruning will delete the parts of job %s: %s", show_job_id(end.job_id), error)
