"""What the service returns about jobs and keys. A test compares it with the OpenAPI document."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from bulklane.decode import local, wire

Operation: TypeAlias = Literal[
    "contacts.upsert",
    "contacts.delete",
    "preferences.set",
    "labels.attach",
    "labels.detach",
    "lists.add",
    "lists.remove",
    "lists.overwrite",
    "audiences.add",
]
JobState: TypeAlias = Literal[
    "receiving", "queued", "running", "completed", "completed_with_errors", "failed", "cancelled"
]
KeyScope: TypeAlias = Literal["read", "write", "admin"]
ENDS: frozenset[str] = frozenset({"completed", "completed_with_errors", "failed", "cancelled"})


@dataclass(kw_only=True)
class Counts:
    """The number of items by outcome; the sum with `pending` is always the total."""

    created: int
    updated: int
    unchanged: int
    merged: int
    skipped: int
    failed: int
    cancelled: int
    pending: int


@dataclass(kw_only=True)
class Memberships:
    """The number of memberships of lists, labels and audiences that a job has added and removed."""

    added: int
    removed: int


@dataclass(kw_only=True)
class JobError:
    """Why the whole job failed, or was stopped by `max_errors`."""

    code: str
    message: str


@dataclass(kw_only=True)
class ItemError:
    """A failed item. `row` is the row that was sent, where the client has it; None otherwise."""

    index: int
    ref: str | None
    field: str | None
    code: str
    message: str
    value: Any
    item: Any
    row: Any = local()


@dataclass(kw_only=True)
class ItemResult:
    """What became of one item. `row` is the row that was sent, where the client has it; None otherwise.

    `fields` is what an undo kept, because somebody else has changed it since; None: nothing.
    """

    index: int
    outcome: str
    contact_id: int | None
    merged_into: int | None
    code: str | None
    message: str | None
    fields: list[str] | None
    row: Any = local()


@dataclass(kw_only=True)
class ErrorExample:
    """One item error of a group; a value of more than 4,096 bytes is None."""

    index: int
    value: Any
    message: str


@dataclass(kw_only=True)
class ErrorGroup:
    """The item errors of a job with the same code and field: their number, and the first three."""

    code: str
    field: str | None
    count: int
    examples: list[ErrorExample]


@dataclass(kw_only=True)
class JobProgress:
    """One accepted bulk request, without its item errors."""

    id: str
    operation: str
    state: str
    stream: str
    total: int | None
    name: str | None
    tags: list[str]
    file_name: str | None
    counts: Counts
    memberships: Memberships
    progress: float | None
    position: int
    throttled_until: datetime | None
    eta: datetime | None
    error: JobError | None
    errors_url: str
    results_url: str
    events_url: str
    dry_run: bool
    max_errors: str | None
    parent_id: str | None
    undoes: str | None
    request_id: str
    received_at: datetime
    accepted_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def ended(self) -> bool:
        """Whether the job is in a terminal state."""
        return self.state in ENDS

    @property
    def ok(self) -> bool:
        """Whether the job has ended and every item was applied."""
        return self.state == "completed"


@dataclass(kw_only=True)
class JobSnapshot(JobProgress):
    """One accepted bulk request, as it was when the response was made."""

    first_errors: list[ItemError] = wire("errors")
    error_summary: list[ErrorGroup] | None
    children: list[str] | None
    undone_by: list[str] | None


@dataclass(kw_only=True)
class UploadSnapshot:
    """A resumable upload as the service has it: `offset` bytes of `length`, or of an unknown number (None).

    `complete`: the service has made the job `job_id` of it, or has refused it with `error`.
    """

    id: str
    operation: str
    offset: int
    length: int | None
    complete: bool
    job_id: str | None
    error: JobError | None
    content_type: str | None
    file_name: str | None
    created_at: datetime
    expires_at: datetime


@dataclass(kw_only=True)
class JobCounts:
    """The number of jobs that match a filter, in all and by state."""

    total: int
    states: dict[str, int]


@dataclass(kw_only=True)
class SkippedJob:
    """A job that an action left as it is, and why."""

    id: str
    code: str


@dataclass(kw_only=True)
class CancelledJobs:
    """What `cancel_matching` did, or would do: see `preview`."""

    preview: bool
    matched: int
    remaining: int
    stopped: str | None
    skipped: list[SkippedJob]
    jobs: list[str]
    cancelled: int


@dataclass(kw_only=True)
class RetriedJobs:
    """What `retry_matching` did, or would do: see `preview`."""

    preview: bool
    matched: int
    remaining: int
    stopped: str | None
    skipped: list[SkippedJob]
    jobs: list[str]
    retried: int


@dataclass(kw_only=True)
class FieldChange:
    """A field of a contact before and after a change; None: it had no value."""

    field: str
    old: Any
    new: Any


@dataclass(kw_only=True)
class TouchingJob:
    """A job that touched a contact, with the outcome of its last item that names it; None: none does."""

    id: str
    name: str | None
    operation: str
    state: str
    item_index: int | None
    outcome: str | None


@dataclass(kw_only=True)
class Caller:
    """Who made a request, and from where. `kind` is "key" or "operator"."""

    kind: str
    key_id: str | None
    key_name: str | None
    session: bool
    address: str | None
    user_agent: str | None
    request_id: str


@dataclass(kw_only=True)
class AuditEntry:
    """What was done to a job: submitted, cancelled, retried or undone, the last two by the job `job_id`.

    `by` is None if a release before 0.2 did not record it.
    """

    action: str
    at: datetime
    by: Caller | None
    job_id: str | None


@dataclass(kw_only=True)
class HistoryEntry:
    """What a job, or a single request, did to a contact: one of `job` and `by` is None."""

    at: datetime
    job: TouchingJob | None
    by: Caller | None
    changes: list[FieldChange]


@dataclass(kw_only=True)
class Key:
    """An API key, without the key itself."""

    id: str
    name: str | None
    scopes: list[KeyScope]
    status: str  # active, expired or revoked
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    replaced_by: str | None
    revoked_at: datetime | None


@dataclass(kw_only=True)
class NewKey(Key):
    """A new key. `key` is shown only here."""

    key: str = field(repr=False)
