"""What a bulk request asks for, once it has been checked: an operation with its parameters."""

from dataclasses import dataclass

from schemas.formats.content_type import Format
from schemas.ids import AccountId, JobId, new_job_id
from schemas.operations import stream_of
from schemas.params import JobParams
from schemas.states import Operation
from storage.jobs import NewJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the job will be; `parallel` None leaves the choice to the settings."""

    operation: Operation
    params: JobParams
    parallel: int | None = None
    dry_run: bool = False
    parent_id: JobId | None = None


def new_job(
    plan: Plan,
    *,
    account_id: AccountId,
    format_: Format,
    request_id: str,
    idempotency_key: str | None,
    parallel: int,
) -> NewJob:
    """The job of a plan, with a fresh id; `parallel` is the one of the settings."""
    return NewJob(
        account_id=account_id,
        id=new_job_id(),
        operation=plan.operation,
        stream=stream_of(plan.operation, plan.params),
        format=format_,
        params=plan.params,
        parallel=plan.parallel or parallel,
        request_id=request_id,
        dry_run=plan.dry_run,
        parent_id=plan.parent_id,
        idempotency_key=idempotency_key,
    )
