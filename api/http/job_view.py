"""The views of jobs, results and item errors, made from rows."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.ids import show_job_id
from schemas.item_errors import ErrorGroup, ItemError
from schemas.states import JobState
from schemas.wire.jobs import (
    Counts,
    ErrorExampleView,
    ErrorGroupView,
    ItemErrorView,
    Job,
    JobError,
    JobProgress,
    Memberships,
    ResultView,
)
from storage.pipeline.jobs import JobRow
from storage.pipeline.results import ResultRow
from storage.pipeline.uploads import NewJob, Place

OTHER = "other"  # the code of the item errors that belong to no group of a summary
COUNTED = ("created", "updated", "unchanged", "merged", "skipped", "failed", "cancelled")


def job_view(job: JobRow) -> Job:
    """Return a job as a client reads it."""
    return Job(
        **_columns(job),
        errors=[error_view(error) for error in job.first_errors],
        error_summary=_summary(job.error_summary),
        children=None if job.children is None else [show_job_id(child) for child in job.children],
    )


def progress_view(job: JobRow) -> JobProgress:
    """Return a job as the data of an event."""
    return JobProgress(**_columns(job))


def _columns(job: JobRow) -> dict[str, Any]:
    name = show_job_id(job.id)
    counts = _counts(job)
    done = (job.total or 0) - counts.pending
    return {
        "id": name,
        "name": job.name,
        "tags": list(job.tags),
        "file_name": job.file_name,
        "operation": job.operation,
        "state": job.state,
        "stream": job.stream,
        "total": job.total,
        "counts": counts,
        "memberships": Memberships(added=job.added, removed=job.removed),
        "progress": _progress(job.total, done, job.state),
        "position": job.ahead,
        "throttled_until": job.throttled_until,
        "eta": None if job.state.ended else _eta(job, done, counts.pending),
        "error": JobError(code=job.error_code, message=job.error_message or "") if job.error_code else None,
        "errors_url": f"/v1/jobs/{name}/errors",
        "results_url": f"/v1/jobs/{name}/results",
        "events_url": f"/v1/jobs/{name}/events",
        "dry_run": job.dry_run,
        "max_errors": job.max_errors,
        "parent_id": show_job_id(job.parent_id) if job.parent_id else None,
        "request_id": job.request_id,
        "received_at": job.received_at,
        "accepted_at": job.accepted_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def accepted_view(job: NewJob, place: Place, total: int | None) -> Job:
    """Return the view of a job that was just accepted."""
    name = show_job_id(job.id)
    nothing = dict.fromkeys(COUNTED, 0)
    return Job(
        id=name,
        name=job.name,
        tags=list(job.tags),
        file_name=job.file_name,
        operation=job.operation,
        state=JobState.QUEUED,
        stream=job.stream,
        total=total,
        counts=Counts(**nothing, pending=total or 0),
        memberships=Memberships(added=0, removed=0),
        progress=None if total is None else 0.0,
        position=place.ahead,
        throttled_until=None,
        eta=None,
        error=None,
        errors=[],
        error_summary=[],
        children=[],
        errors_url=f"/v1/jobs/{name}/errors",
        results_url=f"/v1/jobs/{name}/results",
        events_url=f"/v1/jobs/{name}/events",
        dry_run=job.dry_run,
        max_errors=job.params.max_errors,
        parent_id=show_job_id(job.parent_id) if job.parent_id else None,
        request_id=job.request_id,
        received_at=place.received_at,
        accepted_at=place.accepted_at,
        started_at=None,
        finished_at=None,
    )


def result_view(result: ResultRow) -> ResultView:
    """Return the result of one item as a client reads it."""
    return ResultView(
        index=result.index,
        outcome=result.outcome.word,
        contact_id=result.contact_id,
        merged_into=result.merged_into,
        code=result.code,
        message=result.message,
    )


def error_view(error: ItemError) -> ItemErrorView:
    """Return an item error as a client reads it."""
    return ItemErrorView(
        index=error.index,
        ref=error.ref,
        field=error.field,
        code=error.code,
        message=error.message,
        value=error.value,
        item=error.item,
    )


def _summary(groups: Sequence[ErrorGroup] | None) -> list[ErrorGroupView] | None:
    if groups is None:
        return None
    return [
        ErrorGroupView(
            code=group.code or OTHER,
            field=group.field,
            count=group.count,
            examples=[
                ErrorExampleView(index=example.index, value=example.value, message=example.message)
                for example in group.examples
            ],
        )
        for group in groups
    ]


def _counts(job: JobRow) -> Counts:
    counted = {name: getattr(job, name) for name in COUNTED}
    known = sum(counted.values())
    return Counts(**counted, pending=max((job.total or known) - known, 0))


def _progress(total: int | None, done: int, state: JobState) -> float | None:
    if state.ended:
        return 1.0
    return round(done / total, 4) if total else None


def _eta(job: JobRow, done: int, pending: int) -> datetime | None:
    """Estimate the end of a job from its pace, or from its window if it is throttled; None: unknown."""
    now = datetime.now(UTC)
    if job.throttled_until and job.item_limit:
        windows = max(0, -(-pending // job.item_limit) - 1)
        return max(job.throttled_until, now) + timedelta(seconds=windows * job.window_seconds)
    if not done or job.started_at is None or job.total is None:
        return None
    return now + (now - job.started_at) * (pending / done)
