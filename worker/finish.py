"""End a job: when its last chunk is applied, settle what chunks did side by side, close, set the state."""

import asyncio
import logging

from schemas.ids import AccountId, JobId
from storage.background import beside
from storage.context import Context
from storage.pipeline import dry_runs, finish, turns
from storage.pipeline.chunks import Members
from storage.pipeline.finish import End, Finishing
from storage.postgres.pool import Conn
from worker.operations.registry import operation_of
from worker.settle import settle

logger = logging.getLogger(__name__)

RENEW_SECONDS = 2.0  # of a lease of 6

# What the chunks committed may still be on its way to the disk; with the last commit all of it is there. And
# a closing step may be about millions of members: one statement, that takes its time.
LAST_COMMIT = "SET LOCAL synchronous_commit = on; SET LOCAL statement_timeout = 0"


class _EndedMeanwhile(Exception):
    """Another worker has ended the job, the lease having passed to it."""


async def finish_if_last(ctx: Context, account_id: AccountId, job_id: JobId) -> None:
    """End the job if nothing of it is left to apply; safe to call at any time, any number of times."""
    finishing = await finish.claim_finish(ctx.pool, account_id, job_id)
    if finishing is None:
        return
    async with beside(_renew_forever(ctx, account_id, job_id)):
        if finishing.overlaps and not finishing.dry_run:
            await settle(ctx, finishing)
        try:
            end = await _end(ctx, finishing)
        except _EndedMeanwhile:
            return
    await announce(ctx, job_id, end)


async def _end(ctx: Context, job: Finishing) -> End | None:
    """Close and end the job in one transaction.

    The lock on the unended job, which is the fence, comes after the closing step: that may take long, and
    others wait for the row. Where the job turns out to have ended, all of it is rolled back.
    """
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute(LAST_COMMIT)
        members = await _close(conn, job)
        if not await finish.lock_finished(conn, job.account_id, job.job_id):
            raise _EndedMeanwhile
        if job.dry_run:  # it was cancelled, and has nothing but its answers to be put in order
            await dry_runs.conclude(conn, job.account_id, job.job_id)
        return await end_job(conn, job.account_id, job.job_id, members)


async def _close(conn: Conn, job: Finishing) -> Members:
    """The operation's closing step, of a job that was carried out as a whole."""
    if job.dry_run or job.cancelled:
        return Members()
    return await operation_of(job.operation).close(conn, job)


async def end_job(conn: Conn, account_id: AccountId, job_id: JobId, members: Members) -> End | None:
    """Set the terminal state of a locked job, and leave the stream and the turn: in this order always."""
    end = await finish.end(conn, account_id, job_id, members)
    await turns.leave(conn, account_id)
    return end


async def announce(ctx: Context, job_id: JobId, end: End | None) -> None:
    """Tell those who wait for the end of the job, or for their turn after it."""
    logger.info("job %s ended: %s", job_id, end and end.state)
    await ctx.queue.announce_end(job_id)
    await ctx.queue.ring_work()  # the next job of the stream
    if end and end.dry_run_waits:
        await ctx.queue.ring_dry_run()


async def _renew_forever(ctx: Context, account_id: AccountId, job_id: JobId) -> None:
    """Keep the closing steps of a job while they take their time."""
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        try:
            await finish.renew_finish(ctx.pool, account_id, job_id)
        except Exception as error:
            logger.warning("closing steps not renewed: %s: %s", type(error).__name__, error)
