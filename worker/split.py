"""Split a job: turn its parts into chunks, a part a transaction, without copying a byte."""

import asyncio

from schemas.ids import AccountId, JobId
from schemas.items.reader import CHUNK_ITEMS, spans
from storage.context import Context
from storage.pipeline import cancellation, uploads
from storage.postgres.transactions import transaction
from worker.finish import finish_if_last

SPLIT_SECONDS = 2.0  # as long as a turn


async def split_job(ctx: Context, account_id: AccountId, job_id: JobId) -> None:
    """Split what is left of a job; safe to run in several workers: a part is split under the job's lock."""
    clock = asyncio.get_running_loop().time
    until = clock() + SPLIT_SECONDS
    while await _split_part(ctx, account_id, job_id):
        if clock() > until:  # other jobs wait, too
            await ctx.queue.ring_split(account_id, job_id)
            return
    # a job without items, or a cancelled one, has no chunk that finishes it
    await finish_if_last(ctx, account_id, job_id)


async def _split_part(ctx: Context, account_id: AccountId, job_id: JobId) -> bool:
    """Split one part; False: none is left, or another worker splits it.

    A job that has been cancelled is split all the same, so that its total is known, into cancelled chunks.
    """
    async with transaction(ctx.pool) as conn:
        part = await uploads.next_part(conn, account_id, job_id)
        if part is None:
            return False
        chunks = spans(part.format, part.layout, part.body, CHUNK_ITEMS)
        items = await uploads.add_chunks(conn, account_id, job_id, part.part, part.first_index, chunks)
        if part.cancelled:
            await cancellation.cancel_chunks(conn, account_id, job_id)
        split = await uploads.record_split(conn, account_id, job_id, items)
    ended = split.total is not None
    if ended and split.dry_run:
        await ctx.queue.ring_dry_run()
    elif part.part == 0 or ended:
        await ctx.queue.ring_work(split.parallel)
    return not ended
