"""Prune: delete what nothing needs any more, every five minutes, in one of the workers.

The numbers of jobs are folded more often.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from storage import pruning, rounds
from storage.background import repeat
from storage.context import Context
from storage.postgres.transactions import transaction
from storage.resumable import upload_pieces
from storage.webhooks import sending

PRUNE_SECONDS = 300.0
FOLD_SECONDS = 10.0  # of the numbers of jobs: a count reads all changes that are not folded
SHARE_JOBS = 100  # of an account, before those of the next one
PIECES_SECONDS = 10.0  # of the pieces of uploads: their bytes are stored twice until then


async def prune_forever(ctx: Context) -> None:
    """Prune until cancelled. Each kind of rows has a loop of its own, so an error in one stops no other."""
    await asyncio.gather(
        *(
            repeat(EVERY.get(what, PRUNE_SECONDS), partial(_in_turn, ctx, what, work), what=f"pruning {what}")
            for what, work in WORK.items()
        )
    )


async def prune(ctx: Context) -> None:
    """Prune everything now, whatever worker has the turn."""
    for work in WORK.values():
        await work(ctx)


async def _in_turn(ctx: Context, what: str, work: Callable[[Context], Awaitable[None]]) -> None:
    """Prune, unless another worker has begun to in this round."""
    if await rounds.begin(ctx.pool, what, EVERY.get(what, PRUNE_SECONDS)):
        await work(ctx)


async def _windows(ctx: Context, table: str) -> None:
    await pruning.windows(ctx.pool, table)


async def _changes(ctx: Context) -> None:
    await pruning.changes(ctx.pool)


async def _parts(ctx: Context) -> None:
    await pruning.forgotten_parts(ctx.pool)


async def _pieces(ctx: Context) -> None:
    await upload_pieces.prune(ctx.pool)


async def _counts(ctx: Context) -> None:
    await pruning.counts(ctx.pool)


async def _jobs(ctx: Context) -> None:
    """Delete old jobs, one per transaction, because deleting the results of a large one takes long.

    Each account has some deleted at a time, so that no account waits for all the jobs of another one.
    """
    left = True
    while left:
        left = False
        async for old in pruning.old_jobs(ctx.pool, ctx.settings.keep_jobs_days):
            left = await _share_of(ctx, old) or left


async def _share_of(ctx: Context, old: pruning.OldJobs) -> bool:
    """Delete old jobs of an account. Return whether there may be more."""
    for _ in range(SHARE_JOBS):
        async with transaction(ctx.pool, unlimited_time=True) as conn:
            if not await pruning.job(conn, old):
                return False
    return True


async def _images(ctx: Context) -> None:
    await pruning.images(ctx.pool, ctx.settings.undo_days)


async def _deliveries(ctx: Context) -> None:
    await sending.prune(ctx.pool, ctx.settings.keep_deliveries_days)


WORK: dict[str, Callable[[Context], Awaitable[None]]] = {
    **{table: partial(_windows, table=table) for table in pruning.WINDOWS},
    "changes": _changes,
    "parts": _parts,
    "pieces": _pieces,
    "jobs": _jobs,
    "images": _images,
    "deliveries": _deliveries,
    "counts": _counts,  # after the jobs, whose deletion changes them
}
EVERY = {"counts": FOLD_SECONDS, "pieces": PIECES_SECONDS}
