"""The views of the operator, made from rows."""

from api.http.job_view import job_view
from schemas.ids import show_account_id, show_job_id
from schemas.wire.operator import (
    AccountLoad,
    FailingJobView,
    OperatorAccount,
    OperatorJob,
    SlowAccount,
    WorkerChunk,
    WorkerView,
)
from schemas.wire.resources import AccountLimits
from storage.operator.account_loads import LoadedAccount
from storage.operator.all_jobs import FailingJob, OwnedJob, WaitingAccount
from storage.operator.workers import HeldChunk, WorkerRow


def operator_account_view(row: LoadedAccount) -> OperatorAccount:
    """Return an account as the operator reads it."""
    return OperatorAccount(
        id=show_account_id(row.id),
        name=row.name,
        region=row.region,
        phone_number_id=row.phone_number_id,
        default_wait=row.default_wait,
        keep_jobs_days=row.keep_jobs_days,
        limits=AccountLimits(
            requests=row.request_limit, items=row.item_limit, window_seconds=row.window_seconds
        ),
        contacts=row.contacts,
        load=AccountLoad(
            receiving=row.receiving,
            queued=row.queued,
            running=row.running,
            items=row.items,
            oldest_waiting_at=row.oldest_waiting_at,
            throttled_until=row.throttled_until,
            requests_used=row.requests_used,
            items_used=row.items_used,
        ),
        created_at=row.created_at,
        deleting_at=row.deleting_at,
    )


def operator_job_view(owned: OwnedJob) -> OperatorJob:
    """Return a job with its account."""
    job = job_view(owned.job)
    return OperatorJob(
        account_id=show_account_id(owned.account_id),
        account_name=owned.account_name,
        **{name: getattr(job, name) for name in type(job).model_fields},
    )


def worker_view(row: WorkerRow) -> WorkerView:
    """Return a worker as the operator reads it."""
    return WorkerView(
        id=str(row.id),
        host=row.host,
        pid=row.pid,
        version=row.version,
        started_at=row.started_at,
        seen_at=row.seen_at,
        silent=row.silent,
        metrics_port=row.metrics_port,
        chunks=[_chunk_view(chunk) for chunk in row.chunks],
    )


def slow_account_view(row: WaitingAccount) -> SlowAccount:
    """Return an account whose jobs wait as the operator reads it."""
    return SlowAccount(
        account_id=show_account_id(row.account_id),
        account_name=row.account_name,
        waiting_jobs=row.jobs,
        oldest_job_id=show_job_id(row.oldest_job_id),
        oldest_waiting_at=row.oldest_waiting_at,
        throttled_until=row.throttled_until,
    )


def failing_job_view(row: FailingJob) -> FailingJobView:
    """Return a job with errors of ours as the operator reads it."""
    return FailingJobView(failures=row.failures, retry_at=row.retry_at, job=operator_job_view(row.owned))


def _chunk_view(chunk: HeldChunk) -> WorkerChunk:
    return WorkerChunk(
        account_id=show_account_id(chunk.account_id),
        account_name=chunk.account_name,
        job_id=show_job_id(chunk.job_id),
        first_index=chunk.first_index,
        items=chunk.items,
        deaths=chunk.deaths,
        claimed_at=chunk.claimed_at,
    )
