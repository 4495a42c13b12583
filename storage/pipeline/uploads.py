"""Uploads: store the parts of a job while its body arrives, accept the job, split it into chunks."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from schemas.callers import Caller, stored_caller
from schemas.errors import UploadLost
from schemas.formats.content_type import Format
from schemas.formats.records import Span
from schemas.ids import AccountId, JobId
from schemas.metrics import JOBS_ENDED
from schemas.operations import JobParams, Operation
from schemas.states import JobState
from storage.pipeline.leases import LONGEST_UPLOAD_LEASE_SECONDS, UPLOAD_LEASE_SECONDS
from storage.postgres.db_errors import violations_as
from storage.postgres.named_queries import load, row_or_none
from storage.postgres.pool import Conn, Pool

IDEMPOTENCY_HOURS = 24  # after this time an idempotency key is free again
# How the idempotency key of a retry begins that must be the only one of its job. No client can send one with
# a control character. The id of the job follows, so two such requests at once make one retry. `count_retry`
# refuses it if the job has a retry with another key.
ONLY_RETRY = "\x1fretry of "
QUERIES = load(__name__, {"idempotency_hours": IDEMPOTENCY_HOURS})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job before its body has been read."""

    account_id: AccountId
    id: JobId
    operation: Operation
    stream: str
    format: Format
    params: JobParams
    parallel: int
    request_id: str
    name: str | None = None
    tags: tuple[str, ...] = ()
    file_name: str | None = None
    dry_run: bool = False
    parent_id: JobId | None = None
    submitted_by: Caller | None = None
    idempotency_key: str | None = None
    trace: str | None = None  # see schemas.trace_context


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What is known of a job after its body has been read. `total` is None if a worker must split it."""

    layout: dict[str, Any] | None
    parallel: int
    parts: int
    size: int  # bytes
    total: int | None
    request_hash: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The place of an accepted job: `ahead` unfinished jobs of its stream come first."""

    ahead: int
    received_at: datetime
    accepted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """An earlier request with the same idempotency key. `request_hash` is None while it is being received."""

    job_id: JobId
    request_hash: bytes | None


class ExpiredUpload(NamedTuple):
    """An upload whose lease has expired, with the end of the lease."""

    account_id: AccountId
    job_id: JobId
    lease_until: datetime


class IdempotencyKeyTaken(Exception):
    """Another job of the account has this idempotency key."""


class AlreadyRetried(Exception):
    """A job was not accepted, because it must be the only retry of its parent, and is not."""


async def open_job(conn: Conn | Pool, job: NewJob) -> None:
    """Store the job of a new upload. Raises IdempotencyKeyTaken if another request uses the key."""
    if job.idempotency_key is not None:
        await free_key(conn, job.account_id, job.idempotency_key)
    with violations_as(jobs_idempotency=IdempotencyKeyTaken(job.idempotency_key)):
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
            name=job.name,
            tags=job.tags,
            file_name=job.file_name,
            dry_run=job.dry_run,
            parent_id=job.parent_id,
            submitted_by=stored_caller(job.submitted_by),
            idempotency_key=job.idempotency_key,
            trace=job.trace,
            lease_seconds=UPLOAD_LEASE_SECONDS,
        )


async def free_key(conn: Conn | Pool, account_id: AccountId, key: str) -> None:
    """Free an idempotency key that `by_idempotency_key` does not find any more."""
    operation: str | None = await QUERIES.fail_expired(
        conn,
        account_id=account_id,
        key=key,
        error_code="upload_incomplete",
        error_message="the process that received this upload has died; the request was sent again",
    )
    if operation is not None:
        JOBS_ENDED.labels(operation, JobState.FAILED).inc()
    await QUERIES.release_idempotency_key(conn, account_id=account_id, key=key)


async def by_idempotency_key(db: Conn | Pool, account_id: AccountId, key: str) -> Earlier | None:
    """Return the request that uses this idempotency key, or None."""
    row = await QUERIES.by_idempotency_key(db, account_id=account_id, key=key)
    return Earlier(**row) if row else None


async def forget(db: Conn | Pool, account_id: AccountId, job_id: JobId) -> None:
    """Delete a job that was stored only to reserve its idempotency key and was not accepted."""
    await QUERIES.forget(db, account_id=account_id, id=job_id)


async def drop_parts(db: Conn | Pool, account_id: AccountId, job_id: JobId) -> None:
    """Delete the parts of an upload that failed or was cancelled."""
    await QUERIES.drop_parts(db, account_id=account_id, id=job_id)


async def add_part(conn: Conn | Pool, account_id: AccountId, job_id: JobId, part: int, body: bytes) -> None:
    """Store the next part of a body. It is on disk, at the latest, when the commit of `accept` is."""
    await QUERIES.add_part(conn, account_id=account_id, id=job_id, part=part, body=body)


async def keep_part(conn: Conn, account_id: AccountId, job_id: JobId, part: int, body: bytes) -> None:
    """Store a part once more, until the job is deleted. See `storage.inspection.kept_chunks`."""
    await QUERIES.keep_part(conn, account_id=account_id, id=job_id, part=part, body=body)


async def accept(conn: Conn, job: NewJob, received: Received) -> Place | None:
    """Accept the job and give it a position in its stream.

    Returns None if the job is not in the state `receiving` any more: it was cancelled, or its lease expired.
    Raises UploadLost if the stored parts are not the received ones: parts are committed without waiting for
    the disk, so a crash of PostgreSQL can lose some of them, and later parts are stored all the same. Raises
    AlreadyRetried.
    """
    stored = await QUERIES.stored(conn, account_id=job.account_id, id=job.id)
    if stored is None:
        return None
    if tuple(stored) != (received.parts, received.parts - 1, received.size):
        raise UploadLost("PostgreSQL has lost a part of the body in a crash: send the request again")
    with violations_as(jobs_only_retry=AlreadyRetried()):
        row = await QUERIES.accept(
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
    return row_or_none(Place, row)


async def confirm(db: Conn | Pool, account_id: AccountId, job_id: JobId) -> None:
    """Wait until an accepted job is on disk. Raises UploadLost if a crash of PostgreSQL has lost it."""
    if not await QUERIES.confirm(db, account_id=account_id, id=job_id):
        raise UploadLost("PostgreSQL has lost the request in a crash: send it again")


async def fail(
    db: Conn | Pool,
    account_id: AccountId,
    job_id: JobId,
    code: str,
    message: str,
    *,
    lease_until: datetime | None = None,
) -> bool:
    """End a job whose body did not arrive completely, and delete its parts.

    With `lease_until`, the lease must still be the same. Returns False if the job is not receiving any more.
    """
    operation: str | None = await QUERIES.fail(
        db,
        account_id=account_id,
        id=job_id,
        error_code=code,
        error_message=message,
        lease_until=lease_until,
    )
    if operation is not None:
        JOBS_ENDED.labels(operation, JobState.FAILED).inc()
    return operation is not None


async def renew(db: Pool, uploads: Sequence[tuple[AccountId, JobId]]) -> None:
    """Renew the leases of the uploads that an api process is reading."""
    await QUERIES.renew(
        db,
        account_ids=[account_id for account_id, _ in uploads],
        ids=[job_id for _, job_id in uploads],
        lease_seconds=UPLOAD_LEASE_SECONDS,
    )


async def expired(db: Conn | Pool) -> list[ExpiredUpload]:
    """Return the uploads whose leases have expired."""
    rows = await QUERIES.expired(db, longest_seconds=2 * LONGEST_UPLOAD_LEASE_SECONDS)
    return [ExpiredUpload(**row) for row in rows]


async def stored_bytes(db: Conn | Pool, account_id: AccountId) -> int:
    """Return the bytes of all parts of the account's jobs that have not ended, uploads included."""
    size: int = await QUERIES.stored_bytes(db, account_id=account_id)
    return size


async def add_chunks(
    conn: Conn, account_id: AccountId, job_id: JobId, part: int, first_index: int, spans: Sequence[Span]
) -> int:
    """Store the chunks of a part whose first item has index `first_index`. Return the number of items."""
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
