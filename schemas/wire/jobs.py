"""The views of jobs, item errors and results."""

from datetime import datetime
from typing import Any

from schemas.states import JobState
from schemas.wire.base import Listing, Wire


class Counts(Wire):
    """The number of items by outcome; the sum with `pending` is always the total."""

    created: int
    updated: int
    unchanged: int
    merged: int
    skipped: int
    failed: int
    cancelled: int
    pending: int


class Memberships(Wire):
    """The number of memberships of lists, labels and audiences that a job has added and removed."""

    added: int
    removed: int


class JobError(Wire):
    """Why the whole job failed, or was stopped by `max_errors`."""

    code: str
    message: str


class ItemErrorView(Wire):
    """An item error: one failed item."""

    index: int
    ref: str | None
    field: str | None
    code: str
    message: str
    value: Any
    item: Any


class ErrorExampleView(Wire):
    """One item error of a group; a value of more than 4,096 bytes is null."""

    index: int
    value: Any
    message: str


class ErrorGroupView(Wire):
    """The item errors of a job with the same code and field: their number, and the first of them."""

    code: str  # `other`: the errors of all groups after the first 50
    field: str | None
    count: int
    examples: list[ErrorExampleView]  # at most 3


class JobProgress(Wire):
    """One accepted bulk request, without its item errors. Times are ISO 8601 in UTC."""

    id: str
    operation: str
    state: JobState
    stream: str
    total: int | None  # null while the body is received and split
    name: str | None
    tags: list[str]
    file_name: str | None  # without folders
    counts: Counts
    memberships: Memberships
    progress: float | None  # 0 to 1; null while the total is not known
    position: int  # jobs ahead in the stream
    throttled_until: datetime | None
    eta: datetime | None
    error: JobError | None
    errors_url: str
    results_url: str
    events_url: str
    dry_run: bool  # nothing is changed: the results are those that the job would have
    max_errors: str | None  # the limit of item errors, a number or a percentage
    parent_id: str | None  # the job whose failed items this one retries
    undoes: str | None  # the job that this one undoes
    request_id: str
    received_at: datetime
    accepted_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


def links_of(job: str) -> dict[str, str]:
    """Return the links of a job with this id, by the names of their fields."""
    return {f"{what}_url": f"/v1/jobs/{job}/{what}" for what in ("errors", "results", "events")}


class Job(JobProgress):
    """One accepted bulk request. Times are ISO 8601 in UTC."""

    errors: list[ItemErrorView]  # the first 20
    error_summary: list[ErrorGroupView] | None  # all item errors, grouped; null in a list of jobs
    children: list[str] | None  # the jobs that retry this one, at most 100; null in a list of jobs
    undone_by: list[str] | None  # the jobs that undo this one, at most 100; null in a list of jobs


class JobListing(Listing[Job]):
    """One page of jobs. `previous_cursor` is the cursor of the page of newer jobs; null: there are none."""

    previous_cursor: str | None


class JobNumbers(Wire):
    """The number of jobs that match a filter, in all and by state."""

    total: int
    states: dict[JobState, int]  # each state of the filter


class ResultView(Wire):
    """The result of one item."""

    index: int
    outcome: str
    contact_id: int | None
    merged_into: int | None
    code: str | None
    message: str | None
    fields: list[str] | None  # what an undo kept, because somebody else has changed it since
