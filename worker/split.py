"""Split a job: turn its parts into chunks, one transaction per part, without copying bytes."""

import asyncio

from schemas.ids import AccountId, JobId
from schemas.items.reader import CHUNK_ITEMS, spans
from schemas.job_errors import JobErrorCode
from storage.context import Context
from storage.failpoints import reach
from storage.pipeline import cancellation, split, uploads
from storage.postgres.transactions import transaction
from worker.attempt import attempting
from worker.finish import finish_if_last
from worker.job_spans import span_of_split

SPLIT_SECONDS = 2.0  # the length of a turn


async def split_job(ctx: Context, account_id: AccountId, job_id: JobId) -> None:
    """Split the remaining parts of a job. Several workers may run it: each part is split under a lock.

    If it fails repeatedly, or a part is missing, the job ends with the items that were split by then.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + SPLIT_SECONDS
    async with attempting(ctx, account_id, job_id, JobErrorCode.SPLIT_FAILED):
        while await _split_part(ctx, account_id, job_id):
            if clock() > until:  # let other jobs proceed
                await ctx.queue.ring_split(account_id, job_id)
                return
    # no chunk finishes a job without items or a stopped job
    await finish_if_last(ctx, account_id, job_id)


async def _split_part(ctx: Context, account_id: AccountId, job_id: JobId) -> bool:
    """Split one part. Return False if none is left or another worker is splitting the job.

    A cancelled job is split, too, into cancelled chunks, so that its total is known.
    """
    async with transaction(ctx.pool) as conn:
        part = await split.next_part(conn, account_id, job_id)
        if part is None:
            return False
        with span_of_split(part.trace, account_id, job_id, part.part):
            chunks = spans(part.format, part.layout, part.body, CHUNK_ITEMS)
            items = await uploads.add_chunks(conn, account_id, job_id, part.part, part.first_index, chunks)
            if part.cancelled:
                await cancellation.cancel_chunks(conn, account_id, job_id)
            job = await split.record(conn, account_id, job_id, items)
        reach("split.before_commit")
    complete = job.total is not None
    if complete:
        ctx.announcer.change(account_id)
    if complete and job.dry_run:
        await ctx.queue.ring_dry_run()
    elif part.part == 0 or complete:
        await ctx.queue.ring_work(job.parallel)
    return not complete
