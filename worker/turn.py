"""A turn: claim and apply, chunk after chunk, until there is nothing left or the time is up."""

import asyncio
import logging

from schemas.ids import AccountId, JobId
from storage.context import Context
from storage.pipeline import chunks
from storage.pipeline.chunks import Claim
from storage.postgres.pool import LOCKED_OUT, LOST_CONNECTION, TROUBLE
from worker.apply import apply_chunk
from worker.claim import claim_chunk
from worker.finish import finish_if_last

logger = logging.getLogger(__name__)

TURN_SECONDS = 2.0  # a worker that is told to stop has drained after this, and one chunk more


async def take_turn(ctx: Context) -> None:
    """Serve whoever is due; rings again if there may be more when the time is up."""
    clock = asyncio.get_running_loop().time
    until = clock() + TURN_SECONDS
    unlooked: set[tuple[AccountId, JobId]] = set()  # jobs of which a chunk of ours may have been the last
    while clock() < until:
        claim = await claim_chunk(ctx)
        if claim is None:
            break
        if await _apply_or_release(ctx, claim):
            unlooked.add((claim.account_id, claim.job_id))
    else:
        await ctx.queue.ring_work()
    for account_id, job_id in unlooked:
        await finish_if_last(ctx, account_id, job_id)


async def _apply_or_release(ctx: Context, claim: Claim) -> bool:
    """Apply a chunk, and answer as `apply_chunk` does; if that fails it is ready again at once."""
    try:
        return await apply_chunk(ctx, claim)
    except (Exception, asyncio.CancelledError) as error:
        logger.warning("chunk %s of job %s is given back", claim.first_index, claim.job_id, exc_info=True)
        innocent = isinstance(error, (asyncio.CancelledError, *LOST_CONNECTION, *LOCKED_OUT, *TROUBLE))
        await asyncio.shield(_release(ctx, claim, blame=not innocent))
        raise
    finally:
        ctx.held.discard(claim.lease)


async def _release(ctx: Context, claim: Claim, *, blame: bool) -> None:
    try:
        await chunks.release(ctx.pool, claim, blame=blame)
    except LOST_CONNECTION:
        logger.warning("not given back: the lease will run out")
