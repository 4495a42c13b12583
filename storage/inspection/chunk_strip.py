"""The chunks of a job as a person sees them: their states in order, and when their items were applied.

Both read all chunks of the job, which MAX_UPLOAD_ITEMS limits, and nothing else.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.ids import AccountId, JobId
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool

MOST_CELLS = 200
QUERIES = load(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One chunk, or several neighbours: `items` from `first_index` on, and the number of chunks by state."""

    first_index: int
    items: int
    chunks: int
    running: int
    done: int
    cancelled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the items of a job come from, and with what parameters they are applied.

    `params` are those of JobParams, but not checked: a newer release may have stored them.
    """

    params: dict[str, Any]
    format: str
    bytes: int
    parallel: int
    cancel_requested_at: datetime | None


async def cells(db: Conn | Pool, account_id: AccountId, job_id: JobId) -> list[Cell]:
    """Return the chunks of a job in at most MOST_CELLS cells, in the order of their items."""
    rows = await QUERIES.cells(db, account_id=account_id, id=job_id, most=MOST_CELLS)
    return [Cell(**dict(row)) for row in rows]


async def paces(
    db: Conn | Pool, account_id: AccountId, job_id: JobId, begun_at: datetime, seconds: float
) -> dict[int, int]:
    """Return the number of items that were applied in each span of `seconds` after `begun_at`, by its number.

    A span without items is absent. So are chunks that an earlier release has applied.
    """
    rows = await QUERIES.paces(db, account_id=account_id, id=job_id, begun_at=begun_at, seconds=seconds)
    return {row["span"]: row["items"] for row in rows}


async def source(db: Conn | Pool, account_id: AccountId, job_id: JobId) -> Source | None:
    """Return where the items of a job come from; None: the account has no such job."""
    row = await QUERIES.source(db, account_id=account_id, id=job_id)
    return Source(**{**dict(row), "params": json.loads(row["params"])}) if row else None
