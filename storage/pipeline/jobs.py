"""Read jobs, for clients and for retries, and prune old ones."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from schemas.errors import Conflict
from schemas.formats.content_type import Format
from schemas.formats.csv_layout import CsvLayout
from schemas.ids import AccountId, JobId
from schemas.item_errors import ErrorExample, ErrorGroup, ItemError
from schemas.operations import JobParams, Operation
from schemas.states import JobState
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool

FIRST_ERRORS = 20  # item errors in a job view
LARGE_BYTES = 4096  # a larger value or item is left out of a job view
MAX_GROUPS = 50  # of item errors in a job view; the others are one group
EXAMPLES = 3  # of a group of item errors
MAX_CHILDREN = 100  # jobs that retry a job, in its view
QUERIES = load(__name__, {"large_bytes": LARGE_BYTES, "max_children": MAX_CHILDREN})


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job as a client sees it.

    The counts are the sums over its chunks until it ends, then the final counts. `added` and `removed` count
    memberships; `ahead` counts the jobs before it in its stream. An `item_limit` of 0 means no limit.
    """

    id: JobId
    name: str | None
    tags: tuple[str, ...]
    file_name: str | None
    operation: str  # not an Operation: a newer release that was rolled back may have stored it
    list_id: int | None  # from `params`
    audience_id: int | None
    stream: str
    state: JobState
    total: int | None
    created: int
    updated: int
    unchanged: int
    merged: int
    skipped: int
    failed: int
    cancelled: int
    added: int
    removed: int
    ahead: int
    item_limit: int
    window_seconds: int
    throttled_until: datetime | None
    error_code: str | None
    error_message: str | None
    first_errors: tuple[ItemError, ...]  # at most FIRST_ERRORS
    dry_run: bool
    parent_id: JobId | None
    request_id: str
    received_at: datetime
    accepted_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    max_errors: str | None  # see read_max_errors
    trace: str | None = None  # see schemas.trace_context
    undoes: JobId | None = None  # the job that this one undoes
    error_summary: tuple[ErrorGroup, ...] | None = None  # at most MAX_GROUPS and the rest; None: not read
    children: tuple[JobId, ...] | None = None  # the jobs that retry it, at most MAX_CHILDREN; None: not read
    undone_by: tuple[JobId, ...] | None = None  # the jobs that undo it, at most MAX_CHILDREN; None: not read


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The operation of a job and, for CSV, its columns. `keeps`: its rows are kept for its results."""

    operation: str  # as in JobRow
    layout: CsvLayout | None
    keeps: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """The job whose failed items are retried, with the data that a retry needs."""

    account_id: AccountId
    job_id: JobId
    operation: Operation
    params: JobParams
    name: str | None
    tags: tuple[str, ...]
    file_name: str | None
    format: Format
    layout: CsvLayout | None
    parallel: int
    dry_run: bool
    state: JobState
    failed: int
    trace: str | None = None


async def view(db: Conn | Pool, account_id: AccountId, job_id: JobId) -> JobRow | None:
    """Return a job as a client sees it, or None if the account has no such job."""
    row = await QUERIES.view(db, account_id=account_id, id=job_id)
    if row is None:
        return None
    return job_row(
        row,
        error_summary=_groups(row["error_summary"]),
        children=tuple(row["children"]),
        undone_by=tuple(row["undone_by"]),
    )


async def views(db: Conn | Pool, account_id: AccountId, job_ids: Sequence[JobId]) -> list[JobRow]:
    """Return the jobs with these ids as a client sees them, newest first. Unknown ids are absent."""
    return [job_row(row) for row in await QUERIES.views(db, account_id=account_id, ids=job_ids)]


async def state_of(db: Conn | Pool, account_id: AccountId, job_id: JobId) -> JobState | None:
    """Return the state of a job, or None if the account has no such job."""
    state: str | None = await QUERIES.state(db, account_id=account_id, id=job_id)
    return JobState(state) if state else None


async def shape_of(db: Conn | Pool, account_id: AccountId, job_id: JobId) -> Shape:
    """Return the shape of a job that exists."""
    row = await QUERIES.shape(db, account_id=account_id, id=job_id)
    return Shape(operation=row["operation"], layout=_layout(row["layout"]), keeps=row["keeps"])


def known_operation(shape: Shape) -> Operation:
    """Return the operation of a job. Raises Conflict as `parent`."""
    with _refusing_newer_jobs():
        return Operation(shape.operation)


async def parent(db: Conn | Pool, account_id: AccountId, job_id: JobId) -> Parent | None:
    """Return the job to retry, or None if the account has no such job.

    Raises Conflict if a newer release stored it, with an operation, a parameter or a format of its own.
    """
    row = await QUERIES.parent(db, account_id=account_id, id=job_id)
    if row is None:
        return None
    with _refusing_newer_jobs():
        return Parent(
            account_id=account_id,
            job_id=job_id,
            operation=Operation(row["operation"]),
            params=JobParams.model_validate_json(row["params"]),
            name=row["name"],
            tags=tuple(row["tags"]),
            file_name=row["file_name"],
            format=Format(row["format"]),
            layout=_layout(row["layout"]),
            parallel=row["parallel"],
            dry_run=row["dry_run"],
            state=JobState(row["state"]),
            failed=row["failed"],
            trace=row["trace"],
        )


def job_row(row: Any, **details: Any) -> JobRow:
    """Return a row of the view `job_views`; further columns are left out, except `details`."""
    names = {field.name for field in fields(JobRow)} - {"error_summary", "children", "undone_by"}
    columns: dict[str, Any] = {name: row[name] for name in names}
    errors = json.loads(columns.pop("first_errors") or "[]")
    return JobRow(
        state=JobState(columns.pop("state")),
        tags=tuple(columns.pop("tags")),
        first_errors=tuple(ItemError(**error) for error in errors),
        **columns,
        **details,
    )


@contextmanager
def _refusing_newer_jobs() -> Iterator[None]:
    try:
        yield
    except ValueError as error:  # of an enum, or of pydantic
        message = "a newer release has accepted this job, and this one cannot read it: install the newer one"
        raise Conflict(message, code="newer_release") from error


def _layout(text: str | None) -> CsvLayout | None:
    return CsvLayout.from_dict(json.loads(text)) if text else None


def _groups(text: str | None) -> tuple[ErrorGroup, ...]:
    return tuple(
        ErrorGroup(**{**group, "examples": tuple(ErrorExample(**example) for example in group["examples"])})
        for group in json.loads(text or "[]")
    )
