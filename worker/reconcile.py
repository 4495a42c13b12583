"""The reconciler of every worker: repairs the state that dead processes left, and prunes old rows."""

import logging
from functools import partial

from storage.background import repeat
from storage.context import Context
from storage.entities import contacts
from storage.pipeline import chunks, finish, jobs, turns, uploads
from storage.postgres.pool import Conn
from storage.postgres.transactions import transaction, try_lock

logger = logging.getLogger(__name__)

EVERY_SECONDS = 2.0
PRUNE_SECONDS = 300.0
LOCK = 0x626C7265  # 'blre': advisory lock, one worker reconciles at a time
BELLS = 8  # maximum of bells per round; each turn serves more than one chunk


async def reconcile_forever(ctx: Context) -> None:
    """Reconcile every two seconds until cancelled."""
    await repeat(EVERY_SECONDS, partial(reconcile, ctx), what="reconciling")


async def prune_forever(ctx: Context) -> None:
    """Prune every five minutes until cancelled."""
    await repeat(PRUNE_SECONDS, partial(prune, ctx), what="pruning")


async def reconcile(ctx: Context) -> None:
    """Free the chunks of dead workers, fail the uploads of dead apis, ring for all waiting work."""
    async with transaction(ctx.pool) as conn:
        if not await try_lock(conn, LOCK):
            return
        if freed := await chunks.free_expired(conn):
            logger.warning("%d chunks of dead workers are ready again", freed)
        await _fail_abandoned_uploads(conn)
    await _ring(ctx)


async def prune(ctx: Context) -> None:
    """Delete old grants and old jobs, one job per transaction, because deleting a large body takes long."""
    await chunks.prune_grants(ctx.pool)
    await contacts.prune_changes(ctx.pool)
    while await _prune_one(ctx):
        pass


async def _fail_abandoned_uploads(conn: Conn) -> None:
    for account_id, job_id in await uploads.abandoned(conn):
        message = "the process that received this upload has died: send the request again"
        await uploads.fail(conn, account_id, job_id, "upload_incomplete", message)


async def _ring(ctx: Context) -> None:
    for account_id, job_id in await uploads.unsplit(ctx.pool):
        await ctx.queue.ring_split(account_id, job_id)
    for account_id, job_id in await finish.unended(ctx.pool):
        await ctx.queue.ring_finish(account_id, job_id)
    waiting = await turns.due(ctx.pool)
    if waiting:
        await ctx.queue.ring_work(min(waiting, BELLS))


async def _prune_one(ctx: Context) -> int:
    async with transaction(ctx.pool, unlimited_time=True) as conn:
        return await jobs.prune(conn, ctx.settings.keep_jobs_days)
