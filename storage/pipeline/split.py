"""The split of a job: its parts are cut into chunks, one transaction a part."""

import json
from dataclasses import dataclass
from typing import Any

from schemas.formats.content_type import Format
from schemas.ids import AccountId, JobId, show_job_id
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool

JOBS_A_ROUND = 100  # the next round of the reconciler handles more
QUERIES = load(__name__, {"jobs_a_round": JOBS_A_ROUND})


class PartMissing(Exception):
    """A part of an accepted job is not stored, so the rest of the job cannot be applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsplitPart:
    """The next part of a job to split into chunks. `first_index` is the index of its first item."""

    format: Format
    layout: dict[str, Any] | None
    part: int
    first_index: int
    body: bytes
    cancelled: bool  # the job is cancelled, so its new chunks must be
    trace: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A job after a part was split. `total` is None while parts are left."""

    total: int | None
    parallel: int
    dry_run: bool


async def next_part(conn: Conn, account_id: AccountId, job_id: JobId) -> UnsplitPart | None:
    """Lock the job and read its next part.

    Returns None if all parts are split, another worker is splitting the job, or an error of ours delays it.
    Raises PartMissing.
    """
    row = await QUERIES.next_part(conn, account_id=account_id, id=job_id)
    if row is None:
        return None
    if row["body"] is None:
        raise PartMissing(f"part {row['part']} of {row['parts']} of job {show_job_id(job_id)} is not stored")
    return UnsplitPart(
        format=Format(row["format"]),
        layout=json.loads(row["layout"] or "null"),
        part=row["part"],
        first_index=row["first_index"],
        body=row["body"],
        cancelled=row["cancelled"],
        trace=row["trace"],
    )


async def record(conn: Conn, account_id: AccountId, job_id: JobId, items: int) -> Split:
    """Record that a part of `items` items was split."""
    return Split(**await QUERIES.record(conn, account_id=account_id, id=job_id, items=items))


async def unsplit(db: Conn | Pool) -> list[tuple[AccountId, JobId]]:
    """Return the jobs that have parts to split, if nothing delays or locks them."""
    return [(row["account_id"], row["id"]) for row in await QUERIES.unsplit(db)]
