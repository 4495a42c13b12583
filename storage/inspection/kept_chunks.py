"""Kept chunks: the rows of a job with `unknown_columns=keep`, as they were sent, for its results.

They are read from a copy, because the parts that the workers read are deleted when the job ends.
"""

from dataclasses import dataclass

from schemas.ids import AccountId, JobId
from storage.postgres.named_queries import load
from storage.postgres.pool import Pool

QUERIES = load(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptChunk:
    """A chunk whose items are applied or cancelled: `items` records of `body`, after the first `skip`."""

    first_index: int
    items: int
    skip: int
    cancelled: bool
    body: bytes


async def chunk(db: Pool, account_id: AccountId, job_id: JobId, first_index: int) -> KeptChunk | None:
    """Return the chunk that begins with an item; None: there is none, or it has no results yet."""
    row = await QUERIES.chunk(db, account_id=account_id, id=job_id, first_index=first_index)
    if row is None or row["body"] is None:
        return None
    return KeptChunk(
        first_index=row["first_index"],
        items=row["items"],
        skip=row["skip"],
        cancelled=row["state"] == "cancelled",
        body=row["body"],
    )
