"""A turn: claim and apply chunks until none is left or the turn's time is over."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from schemas.ids import AccountId, JobId, show_job_id
from schemas.logs import about_job
from schemas.metrics import RECOVERED
from storage.context import Context
from storage.pipeline import chunks, failures
from storage.pipeline.chunks import Claim, Progress
from storage.pipeline.finish import start as start_jobs
from storage.pipeline.leases import renewing
from storage.postgres.db_errors import BUSY, blames_work, is_ours, trouble_of
from storage.slots import Slot
from worker.apply import apply_chunk
from worker.attempt import Step, delay, log_death, postpone
from worker.claim import claim_chunks
from worker.finish import finish_if_last, ring_finish
from worker.job_spans import span_of_chunk
from worker.together import apply_together, is_small

logger = logging.getLogger(__name__)

TURN_SECONDS = 2.0  # a stopping worker needs at most this time plus one chunk


async def take_turn(ctx: Context, hear: Callable[[], Awaitable[None]] | None = None) -> bool:
    """Wait for a slot, claim and apply chunks that are due, then finish the jobs that may be complete.

    Calls `hear` once, before the claim that finds nothing left: what is announced after it rings a new bell.
    Rings again if the time ends before the work. Returns whether there was a chunk to claim.

    If a step takes long, the turn leaves its slot and this returns True. Another turn goes on with the rest.
    """
    turn = _Turn(ctx, hear)
    claimed = await ctx.turn_slots.run(turn.take)
    if claimed is None:
        await turn.hear()
        await ctx.queue.ring_work()
        return True
    return claimed


class _Turn:
    """One turn: whether its bell was heard, and which jobs it must finish."""

    def __init__(self, ctx: Context, hear: Callable[[], Awaitable[None]] | None) -> None:
        self._ctx = ctx
        self._hear = hear
        self._unfinished: set[tuple[AccountId, JobId]] = set()  # jobs whose last chunk may be of this turn

    async def hear(self) -> bool:
        """Hear the bell. Return False if it was heard before, or if there is none."""
        hear, self._hear = self._hear, None
        if hear is not None:
            await hear()
        return hear is not None

    async def take(self, slot: Slot) -> bool:
        """Take the turn. It ends when nothing is left, when its time is over, or when it has left its slot.

        Returns whether there was a chunk to claim.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + TURN_SECONDS
        claimed = False
        while clock() < until and not slot.left.done():
            claims = await claim_chunks(self._ctx)
            claimed = claimed or bool(claims)
            if claims:
                with slot.step(claims[0].account_id) as may_wait:
                    await self._apply(claims, may_wait=may_wait)
            if not slot.left.done() and not await self.hear() and not claims:
                break
        else:
            await self._ctx.queue.ring_work()
        for account_id, job_id in self._unfinished:
            with slot.step(account_id) as may_wait:
                finish = _finish_step(may_wait=may_wait)
                await finish(self._ctx, account_id, job_id)
        return claimed

    async def _apply(self, claims: Sequence[Claim], *, may_wait: bool) -> None:
        for claim, progress in await _apply_all(self._ctx, claims, may_wait=may_wait):
            if progress.others_ready:
                self._unfinished.add((claim.account_id, claim.job_id))


def keep_claims(ctx: Context) -> AbstractAsyncContextManager[None]:
    """Renew the leases of all claims of this worker while the body runs, and disown what it does not know.

    A connection that broke may have hidden from the worker that it leased a chunk, or prevented it from
    releasing one. Such a chunk is ready again as soon as PostgreSQL responds, and counts no death.
    """

    async def renew() -> None:
        unknown = await chunks.renew(ctx.pool, ctx.worker_id, ctx.held)
        # `renew` may have read `held` before a claim was added to it, so what is held now is left out
        if strays := [token for token in unknown if token not in ctx.held]:
            RECOVERED.labels("disown_claim").inc(len(strays))
            logger.warning("%d chunks that this worker does not hold are ready again", len(strays))
            await chunks.disown(ctx.pool, ctx.worker_id, strays)

    return renewing(renew, what="the leases of chunks")


async def _apply_all(
    ctx: Context, claims: Sequence[Claim], *, may_wait: bool
) -> list[tuple[Claim, Progress]]:
    """Apply the chunks of one claim: small jobs together, or else one by one. Return what became of each.

    A job that follows one that is not applied is released. Several chunks wait only shortly for locks,
    because they may be of several accounts.
    """
    short_wait = len(claims) > 1 or not may_wait
    finish = _finish_step(may_wait=may_wait)
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
            with about_job(claim.account_id, claim.job_id), span_of_chunk(claim):
                progress = await _apply_or_release(ctx, claim, short_wait=short_wait, finish=finish)
            applied.append((claim, progress))
            waits = not progress.applied
    finally:
        await asyncio.shield(_give_back(ctx, left))
    return applied


def _finish_step(*, may_wait: bool) -> Step:
    return finish_if_last if may_wait else ring_finish


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


async def _apply_or_release(ctx: Context, claim: Claim, *, short_wait: bool, finish: Step) -> Progress:
    """Apply a chunk. An error releases it; one of ours delays its job, or counts as a death of the chunk.

    A lock that somebody else holds postpones the job, so that it takes no turn from other accounts. Other
    trouble of PostgreSQL or Redis, and the cancellation of this task, are raised: they end the turn.
    """
    try:
        if claim.follows:  # the claim has not started the job
            await start_jobs(ctx.pool, [(claim.account_id, claim.job_id)])
        progress = await apply_chunk(ctx, claim, short_wait=short_wait, finish=finish)
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
        ctx.repeated.log(logging.WARNING, "a chunk is not released", text, show_job_id(claim.job_id))
