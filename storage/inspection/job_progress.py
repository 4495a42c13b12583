"""Jobs as clients read them while they go on and after their end: in events, and in messages to webhooks."""

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.ids import show_job_id
from schemas.states import JobState
from schemas.wire.jobs import Counts, JobError, JobProgress, Memberships, links_of
from storage.pipeline.jobs import JobRow

COUNTED = ("created", "updated", "unchanged", "merged", "skipped", "failed", "cancelled")


def progress_of(job: JobRow) -> JobProgress:
    """Return a job as the data of an event or a message."""
    return JobProgress(**columns_of(job))


def columns_of(job: JobRow) -> dict[str, Any]:
    """Return the fields of JobProgress."""
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
        **links_of(name),
        "dry_run": job.dry_run,
        "max_errors": job.max_errors,
        "parent_id": show_job_id(job.parent_id) if job.parent_id else None,
        "undoes": show_job_id(job.undoes) if job.undoes else None,
        "request_id": job.request_id,
        "received_at": job.received_at,
        "accepted_at": job.accepted_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


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
