"""Jobs: received, accepted, split, shown. How they end is in `storage.endings`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from schemas.formats.content_type import Format
from schemas.formats.csv_header import CsvLayout
from schemas.formats.records import Span
from schemas.ids import AccountId, JobId
from schemas.params import JobParams
from schemas.states import JobState, Operation
from storage.pool import Conn, Pool
from storage.queries import load

QUERIES = load("jobs")

RECEIVE_LEASE_SECONDS = 15.0  # an upload whose api has been silent for so long is lost
GRACE_SECONDS = 6.0  # after a restart of PostgreSQL: an api renews its leases every 4


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """What is known of a job before its body has been read."""

    account_id: AccountId
    id: JobId
    operation: Operation
    stream: str
    format: Format
    params: JobParams
    parallel: int
    request_id: str
    dry_run: bool = False
    parent_id: JobId | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What is known once the body has been read. `total` is None where a worker has to split."""

    layout: dict[str, Any] | None
    parallel: int
    parts: int
    size: int  # bytes
    total: int | None
    request_hash: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A request that came before with the same idempotency key; without a hash it is still being received."""

    job_id: JobId
    request_hash: bytes | None


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
class Parent:
    """What a retry needs to know of the job whose failed items it takes."""

    account_id: AccountId
    job_id: JobId
    operation: Operation
    params: JobParams
    format: Format
    layout: CsvLayout | None
    parallel: int
    dry_run: bool
    state: JobState
    failed: int


async def open_job(conn: Conn | Pool, job: NewJob) -> None:
    """Store a job that is being received; UniqueViolationError: another one has its idempotency key."""
    if job.idempotency_key is not None:
        await QUERIES.release_idempotency_key(conn, account_id=job.account_id, key=job.idempotency_key)
    await QUERIES.open(
        conn,
        account_id=job.account_id,
        id=job.id,
        operation=job.operation,
        params=job.params.to_json(),
        stream=job.stream,
        format=job.format,
        parallel=job.parallel,
        request_id=job.request_id,
        dry_run=job.dry_run,
        parent_id=job.parent_id,
        idempotency_key=job.idempotency_key,
        lease_seconds=RECEIVE_LEASE_SECONDS,
    )


async def by_idempotency_key(db: Conn | Pool, account_id: AccountId, key: str) -> Earlier | None:
    """The request that has this key."""
    row = await QUERIES.by_idempotency_key(db, account_id=account_id, key=key)
    return Earlier(**row) if row else None


async def forget_receiving(db: Conn | Pool, account_id: AccountId, job_id: JobId) -> None:
    """Forget a job that was only there for its idempotency key, and was refused."""
    await QUERIES.forget_receiving(db, account_id=account_id, id=job_id)


async def drop_parts(db: Conn | Pool, account_id: AccountId, job_id: JobId) -> None:
    """Delete the bytes of a job that will not be applied: one that failed or was cancelled while received."""
    await QUERIES.drop_parts(db, account_id=account_id, id=job_id)


async def add_part(conn: Conn | Pool, account_id: AccountId, job_id: JobId, part: int, body: bytes) -> None:
    """Store the next part of a body; it is on disk at the latest when `accept` is."""
    await QUERIES.add_part(conn, account_id=account_id, id=job_id, part=part, body=body)


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


async def accept(conn: Conn, job: NewJob, received: Received) -> bool:
    """Give the job its place in the stream; False: it was given up meanwhile, because the api was silent."""
    position = await QUERIES.accept(
        conn,
        account_id=job.account_id,
        id=job.id,
        stream=job.stream,
        layout=json.dumps(received.layout) if received.layout is not None else None,
        parallel=received.parallel,
        parts=received.parts,
        bytes=received.size,
        total=received.total,
        request_hash=received.request_hash,
    )
    return position is not None


async def fail_receiving(
    db: Conn | Pool, account_id: AccountId, job_id: JobId, code: str, message: str
) -> None:
    """End a job whose body did not arrive whole; what had arrived is forgotten."""
    await QUERIES.fail_receiving(db, account_id=account_id, id=job_id, error_code=code, error_message=message)


async def renew_receiving(db: Pool, uploads: Sequence[tuple[AccountId, JobId]]) -> None:
    """Renew the leases of the uploads that an api process is reading."""
    await QUERIES.renew_receiving(
        db,
        account_ids=[account_id for account_id, _ in uploads],
        ids=[job_id for _, job_id in uploads],
        lease_seconds=RECEIVE_LEASE_SECONDS,
    )


async def abandoned(conn: Conn) -> list[tuple[AccountId, JobId]]:
    """Uploads whose api died."""
    return _keys(await QUERIES.abandoned(conn, grace_seconds=GRACE_SECONDS))


async def unsplit(db: Conn | Pool) -> list[tuple[AccountId, JobId]]:
    """Jobs that wait for a splitter."""
    return _keys(await QUERIES.unsplit(db))


async def unfinished(db: Conn | Pool, account_id: AccountId) -> int:
    """How many jobs of the account have been accepted and have not ended."""
    count: int = await QUERIES.unfinished(db, account_id=account_id)
    return count


async def recently_accepted(
    db: Conn | Pool, account_id: AccountId, since: datetime
) -> list[tuple[datetime, int]]:
    """When jobs were accepted lately, oldest first, in the form of grants of one request each."""
    rows = await QUERIES.recently_accepted(db, account_id=account_id, since=since)
    return [(row["at"], row["items"]) for row in rows]


async def next_part(conn: Conn, account_id: AccountId, job_id: JobId) -> UnsplitPart | None:
    """Lock the job and read its next part; None: all parts are split, or somebody else is at it."""
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


async def record_split(conn: Conn, account_id: AccountId, job_id: JobId, items: int) -> asyncpg.Record:
    """Count a split part: the job's `total` (not None once it was the last), `parallel` and `dry_run`."""
    row: asyncpg.Record = await QUERIES.record_split(conn, account_id=account_id, id=job_id, items=items)
    return row


async def views(db: Conn | Pool, account_id: AccountId, job_ids: Sequence[JobId]) -> list[asyncpg.Record]:
    """Jobs as rows, newest first, with live counts, jobs ahead and first errors; unknown ids are absent."""
    rows: list[asyncpg.Record] = await QUERIES.views(db, account_id=account_id, ids=job_ids)
    return rows


async def state_of(db: Conn | Pool, account_id: AccountId, job_id: JobId) -> JobState | None:
    """The state of a job, or None: the account has no such job."""
    state: str | None = await QUERIES.state(db, account_id=account_id, id=job_id)
    return JobState(state) if state else None


async def shape_of(
    db: Conn | Pool, account_id: AccountId, job_id: JobId
) -> tuple[Operation, CsvLayout | None]:
    """The operation of a job, and its columns where it came as CSV."""
    row = await QUERIES.shape(db, account_id=account_id, id=job_id)
    layout = CsvLayout.from_dict(json.loads(row["layout"])) if row["layout"] else None
    return Operation(row["operation"]), layout


async def parent(db: Conn | Pool, account_id: AccountId, job_id: JobId) -> Parent | None:
    """What a retry needs to know of a job, or None: the account has no such job."""
    row = await QUERIES.parent(db, account_id=account_id, id=job_id)
    if row is None:
        return None
    return Parent(
        account_id=account_id,
        job_id=job_id,
        operation=Operation(row["operation"]),
        params=JobParams.model_validate_json(row["params"]),
        format=Format(row["format"]),
        layout=CsvLayout.from_dict(json.loads(row["layout"])) if row["layout"] else None,
        parallel=row["parallel"],
        dry_run=row["dry_run"],
        state=JobState(row["state"]),
        failed=row["failed"],
    )


async def page(
    db: Pool,
    account_id: AccountId,
    *,
    size: int,
    state: JobState | None = None,
    operation: str | None = None,
    since: datetime | None = None,
    before: JobId | None = None,
) -> list[JobId]:
    """The ids of the account's jobs, newest first."""
    rows = await QUERIES.page(
        db, account_id=account_id, size=size, state=state, operation=operation, since=since, before=before
    )
    return [row["id"] for row in rows]


async def prune(conn: Conn, days: int, size: int = 1) -> int:
    """Forget up to `size` jobs that ended more than `days` ago, with all their answers; how many."""
    count: int = await QUERIES.prune(conn, days=days, size=size)
    return count


def _keys(rows: Sequence[asyncpg.Record]) -> list[tuple[AccountId, JobId]]:
    return [(row["account_id"], row["id"]) for row in rows]
