"""Finish a job: when its last chunk is applied, settle, run the closing step, set the terminal state."""

import logging
from functools import partial

from schemas.ids import AccountId, JobId
from storage.context import Context
from storage.pipeline import dry_runs, finish, turns
from storage.pipeline.chunks import Members
from storage.pipeline.finish import End, Finishing
from storage.pipeline.leases import renewing
from storage.postgres.pool import Conn
from storage.postgres.transactions import transaction
from worker.operations.registry import operation_of
from worker.settle import settle

logger = logging.getLogger(__name__)


class _EndedMeanwhile(Exception):
    """The lease passed to another worker, and that one has ended the job."""


async def finish_if_last(ctx: Context, account_id: AccountId, job_id: JobId) -> None:
    """Finish the job if nothing of it is left to apply; safe to call at any time, any number of times."""
    job = await finish.claim(ctx.pool, account_id, job_id)
    if job is None:
        return
    async with renewing(partial(finish.renew, ctx.pool, account_id, job_id), what="the lease of a finish"):
        if job.overlaps and not job.dry_run:
            await settle(ctx, job)
        try:
            end = await _close_and_end(ctx, job)
        except _EndedMeanwhile:
            return
    await announce(ctx, job_id, end)


async def _close_and_end(ctx: Context, job: Finishing) -> End | None:
    """Run the closing step and end the job in one transaction.

    The closing step may take long, so the job is locked after it: others need the row. That lock is the
    fence: where the job turns out to have ended, all is rolled back. COMMIT waits for the disk, because the
    chunks were committed without that wait.
    """
    async with transaction(ctx.pool, durable=True, unlimited_time=True) as conn:
        members = await _close(conn, job)
        if not await finish.lock_finished(conn, job.account_id, job.job_id):
            raise _EndedMeanwhile
        if job.dry_run:  # a cancelled one: it has nothing to close, but results to correct
            await dry_runs.correct_results(conn, job.account_id, job.job_id)
        return await end_job(conn, job.account_id, job.job_id, members)


async def _close(conn: Conn, job: Finishing) -> Members:
    """Run the operation's closing step, unless the job was cancelled or is a dry run."""
    if job.dry_run or job.cancelled:
        return Members()
    return await operation_of(job.operation).close(conn, job)


async def end_job(conn: Conn, account_id: AccountId, job_id: JobId, members: Members) -> End | None:
    """Set the terminal state of a locked job, and leave the stream and the turn: in this order always."""
    end = await finish.end(conn, account_id, job_id, members)
    await turns.leave(conn, account_id)
    return end


async def announce(ctx: Context, job_id: JobId, end: End | None) -> None:
    """Tell clients that wait for the job, and ring for the next job of its stream."""
    logger.info("job %s ended: %s", job_id, end and end.state)
    await ctx.queue.announce_end(job_id)
    await ctx.queue.ring_work()
    if end and end.dry_run_waits:
        await ctx.queue.ring_dry_run()
