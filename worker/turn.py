"""A turn: claim and apply chunks until none is left or the turn's time is over."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from schemas.ids import AccountId, JobId
from storage.context import Context
from storage.pipeline import chunks, failures
from storage.pipeline.chunks import Claim, Progress
from storage.pipeline.leases import renewing
from storage.postgres.db_errors import BUSY, blames_work, is_ours, trouble_of
from worker.apply import apply_chunk
from worker.attempt import delay, log_death, postpone
from worker.claim import claim_chunks
from worker.finish import finish_if_last
from worker.together import apply_together, is_small

logger = logging.getLogger(__name__)

TURN_SECONDS = 2.0  # a stopping worker needs at most this time plus one chunk


async def take_turn(ctx: Context, hear: Callable[[], Awaitable[None]] | None = None) -> bool:
    """Wait for a slot, claim and apply chunks that are due, then finish the jobs that may be complete.

    Calls `hear` once, before the claim that finds nothing left: what is announced after it rings a new bell.
    Rings again if the time ends before the work. Returns whether there was a chunk to claim.
    """
    async with ctx.turn_slots:
        return await _take_turn(ctx, hear)


async def _take_turn(ctx: Context, hear: Callable[[], Awaitable[None]] | None) -> bool:
    clock = asyncio.get_running_loop().time
    until = clock() + TURN_SECONDS
    unfinished: set[tuple[AccountId, JobId]] = set()  # jobs whose last chunk may be one of this turn
    claimed = False
    while clock() < until:
        claims = await claim_chunks(ctx)
        claimed = claimed or bool(claims)
        for claim, progress in await _apply_all(ctx, claims):
            if progress.others_ready:
                unfinished.add((claim.account_id, claim.job_id))
        if hear is not None:
            await hear()
            hear = None
        elif not claims:
            break
    else:
        await ctx.queue.ring_work()
    for account_id, job_id in unfinished:
        await finish_if_last(ctx, account_id, job_id)
    return claimed


def keep_claims(ctx: Context) -> AbstractAsyncContextManager[None]:
    """Renew the leases of all claims of this worker while the body runs, and disown what it does not know.

    A connection that broke may have hidden from the worker that it leased a chunk, or prevented it from
    releasing one. Such a chunk is ready again as soon as PostgreSQL responds, and counts no death.
    """

    async def renew() -> None:
        unknown = await chunks.renew(ctx.pool, ctx.worker_id, ctx.held)
        # `renew` may have read `held` before a claim was added to it, so what is held now is left out
        if strays := [token for token in unknown if token not in ctx.held]:
            logger.warning("%d chunks that this worker does not hold are ready again", len(strays))
            await chunks.disown(ctx.pool, ctx.worker_id, strays)

    return renewing(renew, what="the leases of chunks")


async def _apply_all(ctx: Context, claims: Sequence[Claim]) -> list[tuple[Claim, Progress]]:
    """Apply the chunks of one claim: small jobs together, or else one by one. Return what became of each.

    A job that follows one that is not applied is released.
    """
    left = list(claims)
    applied: list[tuple[Claim, Progress]] = []
    waits = False  # whether the job that the next one follows is not applied
    try:
        left = await _apply_small(ctx, left)
        while left:
            if waits and left[0].follows:
                await _give_back(ctx, [left.pop(0)])
                continue
            claim = left.pop(0)
            progress = await _apply_or_release(ctx, claim)
            applied.append((claim, progress))
            waits = not progress.applied
    finally:
        await asyncio.shield(_give_back(ctx, left))
    return applied


async def _apply_small(ctx: Context, claims: list[Claim]) -> list[Claim]:
    """Apply the chunks that are small jobs together. Return the claims to apply one by one, in order."""
    small: list[Claim] = []
    others: list[Claim] = []
    place = others
    for claim in claims:
        # a job that follows one of the others must not come before it
        place = small if is_small(claim) and not (claim.follows and place is others) else others
        place.append(claim)
    if not small or not await apply_together(ctx, small):
        return claims
    ctx.held.difference_update(claim.token for claim in small)
    return others


async def _give_back(ctx: Context, claims: Sequence[Claim]) -> None:
    """Release chunks of which nothing is applied. Does nothing to those that are done."""
    try:
        for claim in claims:
            await _release(ctx, claim, blame=False)
    finally:  # a claim that stays in `held` is renewed for ever
        ctx.held.difference_update(claim.token for claim in claims)


async def _apply_or_release(ctx: Context, claim: Claim) -> Progress:
    """Apply a chunk. An error releases it; one of ours delays its job, or counts as a death of the chunk.

    A lock that somebody else holds postpones the job, so that it takes no turn from other accounts. Other
    trouble of PostgreSQL or Redis, and the cancellation of this task, are raised: they end the turn.
    """
    try:
        progress = await apply_chunk(ctx, claim)
        if claim.failures:
            await failures.reset(ctx.pool, claim.account_id, claim.job_id)
        return progress
    except BUSY as error:
        await asyncio.shield(_release(ctx, claim, blame=False))
        await postpone(ctx, claim.account_id, claim.job_id, error)
        return Progress(others_ready=True, applied=False)
    except Exception as error:
        blame = blames_work(error)
        await asyncio.shield(_release(ctx, claim, blame=blame))
        if not is_ours(error):
            raise
        if blame:
            log_death(ctx, claim.job_id, error)
        else:
            await delay(ctx, claim.account_id, claim.job_id, error)
        return Progress(others_ready=True, applied=False)
    except asyncio.CancelledError:
        await asyncio.shield(_release(ctx, claim, blame=False))
        raise
    finally:
        ctx.held.discard(claim.token)


async def _release(ctx: Context, claim: Claim, *, blame: bool) -> None:
    try:
        await chunks.release(ctx.pool, claim, blame=blame)
    except Exception as error:
        if trouble_of(error) is None:
            raise
        text = "a chunk of job %s is not released before PostgreSQL responds"
        ctx.repeated.log(logging.WARNING, "a chunk is not released", text, claim.job_id)
