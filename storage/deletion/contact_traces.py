"""Where traces of a contact may be, besides its own rows: failed items, kept rows, results, recorded changes.

Each function reads a bounded piece after a place, in the order of a key, for a search that goes through all
of an account. No index leads from a contact to its traces, because it would make every load slower.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from schemas.formats.csv_layout import CsvLayout
from schemas.ids import AccountId, JobId
from schemas.item_errors import ERASED, ItemError
from schemas.states import Outcome
from storage.deletion.blank_records import RecordPlace, blanked, places, read_record
from storage.deletion.identifiers import Identifiers
from storage.pipeline.results import PAGE_BYTES
from storage.postgres.named_queries import Db, load
from storage.postgres.pool import Conn

ERRORS = 500  # failed items in one piece
CHUNKS = 200  # chunks whose results are in one piece
QUERIES = load(__name__, {"page_bytes": PAGE_BYTES, "erased": ERASED})


class After(NamedTuple):
    """A place in the order of a key: a job, and a number in it."""

    job_id: JobId
    number: int


START = After(JobId(UUID(int=0)), -1)


class Unended(NamedTuple):
    """How many jobs and uploads have bytes that nobody looks into."""

    jobs: int
    uploads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedItem:
    """A failed item of a job."""

    job_id: JobId
    error: ItemError
    region: str | None

    @property
    def texts(self) -> list[Any]:
        """What may have a trace."""
        return [self.error.item, self.error.value, self.error.ref, self.error.message]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRecord:
    """A row of a job, as it was sent."""

    index: int
    place: RecordPlace  # in the part
    item: object


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPart:
    """A kept part, and its records that have traces."""

    job_id: JobId
    part: int
    body: bytes
    layout: CsvLayout | None
    traces: list[KeptRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedResult:
    """What became of an item that named the contact."""

    job_id: JobId
    index: int
    outcome: Outcome


async def unended(db: Db, account_id: AccountId, at: datetime) -> Unended:
    """Return what was there at a time and is not over: its bytes may have traces."""
    row = await QUERIES.unended(db, account_id=account_id, at=at)
    return Unended(row["jobs"], row["uploads"])


async def failed_items(db: Db, account_id: AccountId, after: After) -> list[FailedItem]:
    """Return the next failed items; none if there are no more."""
    rows = await QUERIES.errors(
        db, account_id=account_id, job_id=after.job_id, item_index=after.number, rows=ERRORS
    )
    return [
        FailedItem(
            job_id=row["job_id"],
            region=row["region"],
            error=ItemError(
                index=row["item_index"], ref=row["ref"], field=row["field"], code=row["code"],
                message=row["message"], value=read_json(row["value"]), item=read_json(row["item"]),
            ),
        )
        for row in rows
    ]  # fmt: skip


def with_traces(items: Sequence[FailedItem], of: Identifiers) -> list[FailedItem]:
    """Return the failed items that have traces of a contact."""
    finders = {region: of.finder(region) for region in {item.region for item in items}}
    return [item for item in items if any(map(finders[item.region], item.texts))]


async def erase_failed_items(conn: Conn, account_id: AccountId, items: Sequence[FailedItem]) -> None:
    """Erase what failed items say."""
    await QUERIES.erase_errors(
        conn,
        account_id=account_id,
        job_ids=[item.job_id for item in items],
        item_indexes=[item.error.index for item in items],
    )


async def next_kept_part(db: Db, account_id: AccountId, after: After, of: Identifiers) -> KeptPart | None:
    """Return the next kept part, with its records that have traces. None: there are no more.

    A thread searches it, because that takes some tenths of a second.
    """
    row = await QUERIES.kept_part(db, account_id=account_id, job_id=after.job_id, part=after.number)
    if row is None:
        return None
    chunks = await QUERIES.chunks_of_part(
        db, account_id=account_id, job_id=row["job_id"], part=row["part"], contact_id=of.contact_id
    )
    layout = CsvLayout.from_dict(json.loads(row["layout"])) if row["layout"] else None
    found = await asyncio.to_thread(_traces_in_part, row["body"], chunks, layout, of, row["region"])
    return KeptPart(job_id=row["job_id"], part=row["part"], body=row["body"], layout=layout, traces=found)


async def erase_kept_rows(conn: Conn, account_id: AccountId, kept: KeptPart) -> None:
    """Blank the records of a part that have traces. The others stay where they are."""
    body = blanked(kept.body, [record.place for record in kept.traces], kept.layout)
    await QUERIES.rewrite_kept_part(
        conn, account_id=account_id, job_id=kept.job_id, part=kept.part, body=body
    )


async def results(
    db: Db, account_id: AccountId, after: After, contact_id: int
) -> tuple[list[TracedResult], After] | None:
    """Return the results of a contact among the next ones, and where they end. None: there are no more."""
    rows = await QUERIES.results(
        db,
        account_id=account_id,
        job_id=after.job_id,
        first_index=after.number,
        contact_id=contact_id,
        rows=CHUNKS,
    )
    if not rows:
        return None
    found = [
        TracedResult(job_id=row["job_id"], index=row["item_index"], outcome=Outcome(row["outcome"]))
        for row in rows
        if row["job_id"] is not None
    ]
    return found, After(rows[0]["last_job"], rows[0]["last_index"])


async def ended_with_parts(db: Db, account_id: AccountId) -> JobId | None:
    """Return a job that has ended and whose bytes are still stored."""
    job_id: JobId | None = await QUERIES.ended_with_parts(db, account_id=account_id)
    return job_id


async def changes(db: Db, account_id: AccountId, contact_id: int) -> list[dict[str, Any]]:
    """Return the recorded changes of a contact: their fields."""
    rows = await QUERIES.changes(db, account_id=account_id, contact_id=contact_id)
    return [json.loads(row["fields"]) for row in rows]


async def forget_changes(conn: Conn, account_id: AccountId, contact_id: int) -> None:
    """Delete the recorded changes of a contact."""
    await QUERIES.forget_changes(conn, account_id=account_id, contact_id=contact_id)


def _traces_in_part(
    body: bytes, chunks: Sequence[Any], layout: CsvLayout | None, of: Identifiers, region: str | None
) -> list[KeptRecord]:
    """Return the records of a part that named the contact, or that have traces of it."""
    if not of.may_be_in(body) and not any(chunk["places"] for chunk in chunks):
        return []
    return [found for chunk in chunks for found in _traces(body, chunk, layout, of, region)]


def _traces(
    body: bytes, chunk: Any, layout: CsvLayout | None, of: Identifiers, region: str | None
) -> list[KeptRecord]:
    """Return the records of a chunk that named the contact, or that have traces of it."""
    start = chunk["byte_start"]
    run = body[start : chunk["byte_end"]]
    has_trace, named = of.finder(region), {place - 1 for place in chunk["places"] or ()}
    found = []
    own = islice(places(run, layout), chunk["skip"], chunk["skip"] + chunk["items"])
    for number, place in enumerate(own):
        item = read_record(run[place.start : place.end], layout)
        if number in named or has_trace(item):
            moved = RecordPlace(start + place.start, start + place.end)
            found.append(KeptRecord(index=chunk["first_index"] + number, place=moved, item=item))
    return found


def read_json(text: str | None) -> Any:
    """Return the JSON value of a column; None if it has none."""
    return None if text is None else json.loads(text)
