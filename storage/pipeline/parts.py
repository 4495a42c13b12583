"""The parts of a job and the chunks that they become."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas.formats.content_type import Format
from schemas.formats.records import Span
from schemas.ids import AccountId, JobId
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool

JOBS_A_ROUND = 100  # more are left to the next round of the reconciler
QUERIES = load(__name__, {"jobs_a_round": JOBS_A_ROUND})


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsplitPart:
    """The next part of a job to be turned into chunks; its first item has index `first_index`."""

    format: Format
    layout: dict[str, Any] | None
    part: int
    first_index: int
    body: bytes
    cancelled: bool  # the job is: so are these chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A job after one more of its parts was split; `total` is None while parts are left."""

    total: int | None
    parallel: int
    dry_run: bool


async def next_part(conn: Conn, account_id: AccountId, job_id: JobId) -> UnsplitPart | None:
    """Lock the job and read its next part; None: all parts are split, or another worker splits the job."""
    row = await QUERIES.next_part(conn, account_id=account_id, id=job_id)
    if row is None:
        return None
    return UnsplitPart(
        format=Format(row["format"]),
        layout=json.loads(row["layout"] or "null"),
        part=row["part"],
        first_index=row["first_index"],
        body=row["body"],
        cancelled=row["cancelled"],
    )


async def record_split(conn: Conn, account_id: AccountId, job_id: JobId, items: int) -> Split:
    """Count a split part of `items` items."""
    return Split(**await QUERIES.record_split(conn, account_id=account_id, id=job_id, items=items))


async def unsplit(db: Conn | Pool) -> list[tuple[AccountId, JobId]]:
    """Jobs that wait for a splitter."""
    return [(row["account_id"], row["id"]) for row in await QUERIES.unsplit(db)]


async def add_chunks(
    conn: Conn, account_id: AccountId, job_id: JobId, part: int, first_index: int, spans: Sequence[Span]
) -> int:
    """Store the chunks of a part, the first of which begins with item `first_index`; how many items."""
    first_indexes, index = [], first_index
    for span in spans:
        first_indexes.append(index)
        index += span.items
    await QUERIES.add_chunks(
        conn,
        account_id=account_id,
        id=job_id,
        part=part,
        first_indexes=first_indexes,
        starts=[span.start for span in spans],
        ends=[span.end for span in spans],
        items=[span.items for span in spans],
    )
    return index - first_index
