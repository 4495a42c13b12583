"""What a bulk request asks for, once it has been checked: an operation with its parameters."""

from dataclasses import dataclass

from aiohttp import web

from api.http.context import ACCOUNT, API, REQUEST_ID
from schemas.formats.content_type import Format
from schemas.ids import JobId, new_job_id
from schemas.operations import JobParams, Operation, stream_of
from storage.pipeline.uploads import NewJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the job will be. `format` is the format of its parts; `parallel` None: the setting decides."""

    operation: Operation
    params: JobParams
    format: Format = Format.NDJSON
    parallel: int | None = None
    dry_run: bool = False
    parent_id: JobId | None = None


def new_job(request: web.Request, plan: Plan, key: str | None) -> NewJob:
    """The job of a plan, with a new id, for the account of the request; `key` is its idempotency key."""
    return NewJob(
        account_id=request[ACCOUNT].id,
        id=new_job_id(),
        operation=plan.operation,
        stream=stream_of(plan.operation, plan.params),
        format=plan.format,
        params=plan.params,
        parallel=plan.parallel or request.app[API].ctx.settings.parallel,
        request_id=request[REQUEST_ID],
        dry_run=plan.dry_run,
        parent_id=plan.parent_id,
        idempotency_key=key,
    )
