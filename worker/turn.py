"""A turn: claim and apply chunks until none is left or the turn's time is over."""

import asyncio
import logging
from contextlib import AbstractAsyncContextManager

from schemas.ids import AccountId, JobId
from storage.context import Context
from storage.pipeline import chunks
from storage.pipeline.chunks import Claim
from storage.pipeline.leases import renewing
from storage.postgres.db_errors import LOST_CONNECTION, blames_work
from worker.apply import apply_chunk
from worker.claim import claim_chunk
from worker.finish import finish_if_last

logger = logging.getLogger(__name__)

TURN_SECONDS = 2.0  # a stopping worker needs at most this time plus one chunk


async def take_turn(ctx: Context) -> bool:
    """Claim and apply chunks of the accounts that are due, then finish the jobs that may be complete.

    Rings again if the time ends before the work. Returns whether there was a chunk to claim.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + TURN_SECONDS
    unfinished: set[tuple[AccountId, JobId]] = set()  # jobs whose last chunk may be one of this turn
    claimed = False
    while clock() < until:
        claim = await claim_chunk(ctx)
        if claim is None:
            break
        claimed = True
        if await _apply_or_release(ctx, claim):
            unfinished.add((claim.account_id, claim.job_id))
    else:
        await ctx.queue.ring_work()
    for account_id, job_id in unfinished:
        await finish_if_last(ctx, account_id, job_id)
    return claimed


def keep_claims(ctx: Context) -> AbstractAsyncContextManager[None]:
    """Renew the leases of all claims of this worker while the body runs."""

    async def renew() -> None:
        if ctx.held:
            await chunks.renew(ctx.pool, frozenset(ctx.held))

    return renewing(renew, what="the leases of chunks")


async def _apply_or_release(ctx: Context, claim: Claim) -> bool:
    """Apply a chunk and return what `apply_chunk` returns. An error releases the chunk and ends the turn."""
    try:
        return await apply_chunk(ctx, claim)
    except (Exception, asyncio.CancelledError) as error:
        logger.warning(
            "chunk %s of job %s failed and is released", claim.first_index, claim.job_id, exc_info=True
        )
        await asyncio.shield(_release(ctx, claim, blame=blames_work(error)))
        raise
    finally:
        ctx.held.discard(claim.lease)


async def _release(ctx: Context, claim: Claim, *, blame: bool) -> None:
    try:
        await chunks.release(ctx.pool, claim, blame=blame)
    except LOST_CONNECTION:
        logger.warning("a chunk of job %s is not released: its lease will expire", claim.job_id)
