"""The views of jobs, results and item errors, made from rows."""

from collections.abc import Sequence

from schemas.ids import JobId, show_job_id
from schemas.item_errors import ErrorGroup, ItemError
from schemas.states import JobState
from schemas.wire.jobs import (
    Counts,
    ErrorExampleView,
    ErrorGroupView,
    ItemErrorView,
    Job,
    Memberships,
    ResultView,
    links_of,
)
from storage.inspection.job_progress import COUNTED, columns_of
from storage.pipeline.jobs import JobRow
from storage.pipeline.results import ResultRow
from storage.pipeline.uploads import NewJob, Place

OTHER = "other"  # the code of the item errors that belong to no group of a summary


def job_view(job: JobRow) -> Job:
    """Return a job as a client reads it."""
    return Job(
        **columns_of(job),
        errors=[error_view(error) for error in job.first_errors],
        error_summary=_summary(job.error_summary),
        children=_shown(job.children),
        undone_by=_shown(job.undone_by),
    )


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
        undone_by=[],
        **links_of(name),
        dry_run=job.dry_run,
        max_errors=job.params.max_errors,
        parent_id=show_job_id(job.parent_id) if job.parent_id else None,
        undoes=show_job_id(JobId(job.params.undoes)) if job.params.undoes else None,
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
        fields=None if result.fields is None else list(result.fields),
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


def _shown(jobs: Sequence[JobId] | None) -> list[str] | None:
    return None if jobs is None else [show_job_id(job) for job in jobs]


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
