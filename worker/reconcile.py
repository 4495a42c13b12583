"""The reconciler: in every worker, every two seconds, whatever a dead process left behind goes on."""

import asyncio
import logging

from storage.context import Context
from storage.pipeline import chunks, finish, parts, turns, uploads
from storage.postgres.pool import Conn

logger = logging.getLogger(__name__)

EVERY_SECONDS = 2.0
LOCK = 0x626C7265  # 'blre': one reconciler at a time, of all workers
BELLS = 8  # doorbells a round at the most; each turn serves more than one chunk


async def reconcile_forever(ctx: Context) -> None:
    """Reconcile until cancelled; no error of the database or of Redis ends it."""
    while True:
        try:
            await reconcile(ctx)
        except Exception as error:
            logger.warning("reconcile: %s: %s; trying again", type(error).__name__, error)
        await asyncio.sleep(EVERY_SECONDS)


async def reconcile(ctx: Context) -> None:
    """One round: free dead workers' chunks, give up dead uploads, ring for whatever is waiting."""
    async with ctx.pool.acquire() as conn:
        async with conn.transaction():
            if not await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK):
                return
            if freed := await chunks.free_expired(conn):
                logger.warning("%d chunks of dead workers are free again", freed)
            await _give_up_uploads(conn)
        await _ring(ctx, conn)


async def _give_up_uploads(conn: Conn) -> None:
    for account_id, job_id in await uploads.abandoned(conn):
        message = "the api that was reading this upload went away: send it again"
        await uploads.fail_receiving(conn, account_id, job_id, "upload_incomplete", message)


async def _ring(ctx: Context, conn: Conn) -> None:
    for account_id, job_id in await parts.unsplit(conn):
        await ctx.queue.ring_split(account_id, job_id)
    for account_id, job_id in await finish.unended(conn):
        await ctx.queue.ring_finish(account_id, job_id)
    waiting = await turns.due(conn)
    if waiting:
        await ctx.queue.ring_work(min(waiting, BELLS))
