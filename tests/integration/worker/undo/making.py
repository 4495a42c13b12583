"""Undo jobs in tests of workers, as the api makes them."""

from typing import Any

from schemas.ids import AccountId, JobId
from schemas.operations import JobParams, Operation
from storage.context import Context
from storage.undo import undoing
from tests.factories import make_job

CHUNK_ITEMS = 3


async def make_undo(
    ctx: Context, account_id: AccountId, job_id: JobId, *, force: bool = False, **options: Any
) -> JobId | None:
    """Make an undo of a job, as `make_job`. Return its id, or None if there is nothing to undo."""
    job = await undoing.undoable(ctx.pool, account_id, job_id, days=7)
    assert job is not None
    pieces = undoing.runs if job.moves else undoing.items  # what has moved goes back in one chunk
    lines = [piece.splitlines() async for piece in pieces(ctx.pool, account_id, job_id)]
    if not lines:
        return None
    return await make_job(
        ctx,
        account_id,
        [line for run in lines for line in run],
        operation=Operation.JOBS_UNDO,
        params=JobParams(undoes=job_id, force=force, stream=job.stream),
        **{
            "parallel": 1 if job.moves else 4,
            "chunk_items": [len(run) for run in lines] if job.moves else CHUNK_ITEMS,
            **options,
        },
    )
