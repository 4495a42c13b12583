"""End a job: when its last chunk is applied, settle what chunks did side by side, and set the state."""

import asyncio
import logging

from schemas.ids import AccountId, JobId
from storage import jobs, turns
from storage.background import beside
from storage.context import Context
from worker.settle import settle

logger = logging.getLogger(__name__)

RENEW_SECONDS = 2.0  # of a lease of 6


async def finish_if_last(ctx: Context, account_id: AccountId, job_id: JobId) -> None:
    """End the job if nothing of it is left to apply; safe to call at any time, any number of times."""
    finishing = await jobs.claim_finish(ctx.pool, account_id, job_id)
    if finishing is None:
        return
    if finishing.overlaps:
        async with beside(_renew_forever(ctx, account_id, job_id)):
            await settle(ctx, finishing)
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


async def _renew_forever(ctx: Context, account_id: AccountId, job_id: JobId) -> None:
    """Keep the closing steps of a job while they take their time."""
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        try:
            await jobs.renew_finish(ctx.pool, account_id, job_id)
        except Exception as error:
            logger.warning("closing steps not renewed: %s: %s", type(error).__name__, error)
