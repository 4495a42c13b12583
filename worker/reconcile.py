"""The reconciler of every worker: repairs the state that dead processes left."""

import asyncio
import logging
from functools import partial

from schemas.ids import show_job_id
from schemas.job_errors import JobErrorCode
from schemas.metrics import DEATHS, EXPIRED_LEASES, RECOVERED
from storage import rounds
from storage.background import repeat
from storage.context import Context
from storage.failpoints import reach
from storage.pipeline import chunks, finish, split, turns, uploads
from storage.pipeline.chunks import ExpiredLease
from storage.pipeline.finish import ExpiredFinish
from storage.pipeline.leases import Watch
from storage.pipeline.uploads import ExpiredUpload
from storage.postgres.transactions import end_silent_sessions, transaction, try_lock
from worker.attempt import MAX_FAILURES, fail_rest
from worker.finish import announce

logger = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
ROUND = 0.9  # of EVERY_SECONDS: after this time another worker may look for work
LOCK = 0x626C7265  # 'blre': advisory lock, one worker at a time looks for work
CANCELLED_SECONDS = 0.5  # of a round: waiting work must not wait long for its bells
BELLS = 8  # maximum of bells per round; each turn serves more than one chunk
ABANDONED = "the process that received this upload has died: send the request again"

Leases = Watch[ExpiredLease | ExpiredUpload | ExpiredFinish]


async def reconcile_forever(ctx: Context) -> None:
    """Reconcile every second until cancelled. A Redis that hangs delays the bells and nothing else."""
    await asyncio.gather(
        repeat(EVERY_SECONDS, partial(free_abandoned, ctx, Leases()), what="freeing abandoned work"),
        repeat(EVERY_SECONDS, partial(ring_in_turn, ctx), what="ringing for waiting work"),
    )


async def reconcile(ctx: Context) -> None:
    """Reconcile once. Every expired lease counts as abandoned."""
    await free_abandoned(ctx, Leases(patience=0))
    await end_cancelled(ctx)
    await ring_for_work(ctx)


async def free_abandoned(ctx: Context, watch: Leases) -> None:
    """Free the chunks and finishes of dead workers, and fail the uploads of dead apis.

    `watch` tells which are dead.
    """
    expired: list[ExpiredLease | ExpiredUpload | ExpiredFinish] = [
        *await chunks.expired(ctx.pool),
        *await uploads.expired(ctx.pool),
        *await finish.expired(ctx.pool),
    ]
    if abandoned := watch.abandoned(expired):
        await _free(ctx, [lease for lease in abandoned if isinstance(lease, ExpiredLease)])
        await _fail(ctx, [upload for upload in abandoned if isinstance(upload, ExpiredUpload)])
        await _free_finishes(ctx, [lease for lease in abandoned if isinstance(lease, ExpiredFinish)])


async def ring_in_turn(ctx: Context) -> bool:
    """Ring for all waiting work, unless another worker did in this round. Return whether this one did.

    End what stopped processes hold before, because the work may wait for it.
    """
    if not await rounds.begin(ctx.pool, "ringing", ROUND * EVERY_SECONDS):
        return False
    if ended := await end_silent_sessions(ctx.pool):
        RECOVERED.labels("end_session").inc(ended)
        logger.warning("%d sessions of PostgreSQL were ended: their processes do not go on", ended)
    await end_cancelled(ctx)
    await ring_for_work(ctx)
    return True


async def end_cancelled(ctx: Context) -> None:
    """End small jobs that were cancelled before they began, many at once: a filter can cancel thousands.

    The commits wait for the disk, because a client can read the ends.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + CANCELLED_SECONDS
    together = finish.CANCELLED_TOGETHER
    while together == finish.CANCELLED_TOGETHER and clock() < until:
        async with transaction(ctx.pool, durable=True) as conn:
            ends = await finish.end_cancelled(conn)
        if ends:
            await announce(ctx, ends, next_turns=0)  # `ring_for_work` rings
        together = len(ends)


async def ring_for_work(ctx: Context) -> None:
    """Ring for all waiting work, unless another worker is looking for it.

    A round says only when one worker began. The lock keeps others out of one that takes longer than its time.
    """
    async with transaction(ctx.pool) as conn:
        if not await try_lock(conn, LOCK):
            return
        unsplit, unended = await split.unsplit(conn), await finish.unended(conn)
        waiting = await turns.due(conn, BELLS)
    RECOVERED.labels("ring_split").inc(len(unsplit))
    RECOVERED.labels("ring_finish").inc(len(unended))
    RECOVERED.labels("ring_work").inc(waiting)
    for account_id, job_id in unsplit:
        await ctx.queue.ring_split(account_id, job_id)
    for account_id, job_id in unended:
        await ctx.queue.ring_finish(account_id, job_id)
    if waiting:
        await ctx.queue.ring_work(waiting)


async def _free(ctx: Context, leases: list[ExpiredLease]) -> None:
    async with transaction(ctx.pool) as conn:
        freed = await chunks.free(conn, leases)
        reach("reconcile.before_commit")
    if freed:
        EXPIRED_LEASES.labels("chunk").inc(freed)
        DEATHS.inc(freed)
        logger.warning("%d chunks of dead workers are ready again", freed)


async def _fail(ctx: Context, abandoned: list[ExpiredUpload]) -> None:
    """Fail uploads. The commit waits for the disk, because a client can read the end."""
    for upload in abandoned:
        async with transaction(ctx.pool, durable=True) as conn:
            failed = await uploads.fail(
                conn,
                upload.account_id,
                upload.job_id,
                "upload_incomplete",
                ABANDONED,
                lease_until=upload.lease_until,
            )
        if failed:
            EXPIRED_LEASES.labels("upload").inc()
            await ctx.announcer.end([(upload.account_id, upload.job_id)])


async def _free_finishes(ctx: Context, leases: list[ExpiredFinish]) -> None:
    """Free finishes. One that has killed too many workers is left out, and its job fails."""
    for job in await finish.free(ctx.pool, leases):
        EXPIRED_LEASES.labels("finish").inc()
        logger.warning("a dead worker was finishing job %s: another one tries", show_job_id(job.job_id))
        if job.failures >= MAX_FAILURES:
            await fail_rest(ctx, job.account_id, job.job_id, JobErrorCode.FINISH_FAILED)
        else:
            await ctx.queue.ring_finish(job.account_id, job.job_id)
