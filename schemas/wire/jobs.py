"""Jobs, item errors and results as a client reads them."""

from datetime import datetime
from typing import Any

from schemas.states import JobState
from schemas.wire.base import Wire


class Counts(Wire):
    """How many items ended how; together with `pending` they are always the total."""

    created: int
    updated: int
    unchanged: int
    merged: int
    skipped: int
    failed: int
    cancelled: int
    pending: int


class Memberships(Wire):
    """How many memberships of lists, labels and audiences a job has added and removed."""

    added: int
    removed: int


class JobError(Wire):
    """Why a job as a whole has failed."""

    code: str
    message: str


class ItemErrorView(Wire):
    """One failed item."""

    index: int
    ref: str | None
    field: str | None
    code: str
    message: str
    value: Any
    item: Any


class Job(Wire):
    """One accepted bulk request. Times are ISO 8601 in UTC."""

    id: str
    operation: str
    state: JobState
    stream: str
    total: int | None  # null while the body is received and split
    counts: Counts
    memberships: Memberships
    progress: float | None  # 0 to 1; null while the total is not known
    position: int  # jobs ahead in the stream
    throttled_until: datetime | None
    eta: datetime | None
    error: JobError | None
    errors: list[ItemErrorView]  # the first 20
    errors_url: str
    results_url: str
    dry_run: bool  # nothing was changed: the answers say what would have been
    parent_id: str | None  # the job whose failed items this one retries
    request_id: str
    received_at: datetime
    accepted_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


class ResultView(Wire):
    """The answer of one item."""

    index: int
    outcome: str
    contact_id: int | None
    merged_into: int | None
    code: str | None
    message: str | None
