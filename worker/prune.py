"""Forget what is old: grants that no window reaches, jobs that ended long ago."""

import asyncio
import logging

from storage.context import Context
from storage.pipeline import chunks, jobs

logger = logging.getLogger(__name__)

EVERY_SECONDS = 300.0


async def prune_forever(ctx: Context) -> None:
    """Prune until cancelled; no error ends it."""
    while True:
        try:
            await prune(ctx)
        except Exception as error:
            logger.warning("prune: %s: %s; trying again", type(error).__name__, error)
        await asyncio.sleep(EVERY_SECONDS)


async def prune(ctx: Context) -> None:
    """Forget all that is due, a job a transaction: the bytes of a large one take their time."""
    await chunks.prune_grants(ctx.pool)
    while await _prune_one(ctx):
        pass


async def _prune_one(ctx: Context) -> int:
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute("SET LOCAL statement_timeout = 0")
        return await jobs.prune(conn, ctx.settings.keep_jobs_days)
