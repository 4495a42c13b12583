"""End a job: when its last chunk is applied, settle what chunks did side by side, and set the state."""

import logging

from schemas.ids import AccountId, JobId
from storage import jobs, turns
from storage.context import Context
from worker.settle import settle

logger = logging.getLogger(__name__)


async def finish_if_last(ctx: Context, account_id: AccountId, job_id: JobId) -> None:
    """End the job if nothing of it is left to apply; safe to call at any time, any number of times."""
    finishing = await jobs.claim_finish(ctx.pool, account_id, job_id)
    if finishing is None:
        return
    if finishing.overlaps:
        await settle(ctx, account_id, job_id, finishing)
    async with ctx.pool.acquire() as conn, conn.transaction():
        # What the chunks committed may still be on its way to the disk; with this commit all of it is there.
        await conn.execute("SET LOCAL synchronous_commit = on")
        if not await jobs.lock_finished(conn, account_id, job_id):
            return
        state = await jobs.end(conn, account_id, job_id)
        await turns.leave(conn, account_id)
    logger.info("job %s ended: %s", job_id, state)
    await ctx.queue.announce_end(job_id)
    await ctx.queue.ring_work()  # the next job of the stream
