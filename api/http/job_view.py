"""From rows to what a client reads."""

import json
from datetime import UTC, datetime, timedelta

import asyncpg

from schemas.ids import JobId, show_job_id
from schemas.states import JobState
from schemas.wire.jobs import Counts, ItemErrorView, Job, JobError, Memberships, ResultView
from storage.pipeline.results import Result
from storage.pipeline.uploads import NewJob

COUNTED = ("created", "updated", "unchanged", "merged", "skipped", "failed", "cancelled")


def job_view(row: asyncpg.Record) -> Job:
    """A job of `storage.jobs.views`."""
    state = JobState(row["state"])
    name = show_job_id(JobId(row["id"]))
    counts = _counts(row, state)
    done = (row["total"] or 0) - counts.pending
    return Job(
        id=name,
        operation=row["operation"],
        state=state,
        stream=row["stream"],
        total=row["total"],
        counts=counts,
        memberships=_memberships(row, state),
        progress=_progress(row["total"], done, state),
        position=row["ahead"],
        throttled_until=row["throttled_until"],
        eta=None if state.ended else _eta(row, done, counts.pending),
        error=JobError(code=row["error_code"], message=row["error_message"]) if row["error_code"] else None,
        errors=[ItemErrorView(**error) for error in json.loads(row["first_errors"] or "[]")],
        errors_url=f"/v1/jobs/{name}/errors",
        results_url=f"/v1/jobs/{name}/results",
        dry_run=row["dry_run"],
        parent_id=show_job_id(row["parent_id"]) if row["parent_id"] else None,
        request_id=row["request_id"],
        received_at=row["received_at"],
        accepted_at=row["accepted_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )


def accepted_view(job: NewJob, total: int | None) -> Job:
    """A job that has just been accepted, where PostgreSQL cannot be asked about it any more."""
    now = datetime.now(UTC)
    name = show_job_id(job.id)
    nothing = dict.fromkeys(COUNTED, 0)
    return Job(
        id=name,
        operation=job.operation,
        state=JobState.QUEUED,
        stream=job.stream,
        total=total,
        counts=Counts(**nothing, pending=total or 0),
        memberships=Memberships(added=0, removed=0),
        progress=None if total is None else 0.0,
        position=0,
        throttled_until=None,
        eta=None,
        error=None,
        errors=[],
        errors_url=f"/v1/jobs/{name}/errors",
        results_url=f"/v1/jobs/{name}/results",
        dry_run=job.dry_run,
        parent_id=show_job_id(job.parent_id) if job.parent_id else None,
        request_id=job.request_id,
        received_at=now,
        accepted_at=now,
        started_at=None,
        finished_at=None,
    )


def result_view(result: Result) -> ResultView:
    """The answer of one item."""
    return ResultView(
        index=result.index,
        outcome=result.outcome.word,
        contact_id=result.contact_id,
        merged_into=result.merged_into,
        code=result.code,
        message=result.message,
    )


def _counts(row: asyncpg.Record, state: JobState) -> Counts:
    prefix = "" if state.ended else "live_"
    counted = {name: row[prefix + name] for name in COUNTED}
    known = sum(counted.values())
    return Counts(**counted, pending=max((row["total"] or known) - known, 0))


def _memberships(row: asyncpg.Record, state: JobState) -> Memberships:
    prefix = "" if state.ended else "live_"
    return Memberships(added=row[prefix + "added"], removed=row[prefix + "removed"])


def _progress(total: int | None, done: int, state: JobState) -> float | None:
    if state.ended:
        return 1.0
    return round(done / total, 4) if total else None


def _eta(row: asyncpg.Record, done: int, pending: int) -> datetime | None:
    """When the job will end at the pace so far; a throttled one, at the pace of its window."""
    now = datetime.now(UTC)
    if row["throttled_until"] and row["item_limit"]:
        windows = max(0, -(-pending // row["item_limit"]) - 1)
        until: datetime = row["throttled_until"]
        return max(until, now) + timedelta(seconds=windows * row["window_seconds"])
    if not done or row["started_at"] is None or row["total"] is None:
        return None
    started: datetime = row["started_at"]
    return now + (now - started) * (pending / done)
