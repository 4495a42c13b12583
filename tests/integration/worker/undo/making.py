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
    pages = [page async for page in undoing.items(ctx.pool, account_id, job_id)]
    if not pages:
        return None
    return await make_job(
        ctx,
        account_id,
        b"".join(pages).splitlines(),
        operation=Operation.JOBS_UNDO,
        params=JobParams(undoes=job_id, force=force, stream=job.stream),
        **{"parallel": 1 if job.moves else 4, "chunk_items": CHUNK_ITEMS, **options},
    )
