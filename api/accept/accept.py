"""Accept a bulk request: from the request to the accepted job and its response, for every bulk endpoint."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from api.accept.body import JobPart, RequestBody
from api.accept.idempotency import find_earlier, read_key, same_request
from api.accept.upload import Accepted, accept_upload
from api.http.context import ACCOUNT, API, REQUEST_ID, Api
from api.http.job_view import accepted_view, job_view
from api.http.validation import all_of, gathering
from api.http.waiting import wanted_wait
from schemas.errors import NotAcceptable
from schemas.formats.content_type import Format
from schemas.ids import JobId, new_job_id, show_job_id
from schemas.items.reader import CHUNK_ITEMS
from schemas.operations import JobParams, Operation, stream_of
from schemas.states import JobState
from storage.entities.accounts import Account
from storage.pipeline import jobs
from storage.pipeline.jobs import JobRow
from storage.pipeline.uploads import NewJob
from storage.postgres.db_errors import LOST_CONNECTION

logger = logging.getLogger(__name__)

BELL_SECONDS = 1.0  # a Redis that hangs must not delay the 202; the reconciler rings again
ResultBody = Callable[[Api, Account, JobRow], Awaitable[BaseModel]]  # makes the response for an ended job


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The job to make. `format` is the format of its parts; `parallel` None: the setting PARALLEL."""

    operation: Operation
    params: JobParams
    format: Format = Format.NDJSON
    parallel: int | None = None
    dry_run: bool = False
    parent_id: JobId | None = None


class BulkRequest(ABC):
    """A bulk request while it is checked; a subclass defines what differs between the bulk endpoints.

    `problems` collects the problems of the request, so that one response reports all of them. `result` makes
    the body of the response for an ended job; None: the body is the job itself.
    """

    result: ResultBody | None = None

    def __init__(self, request: web.Request) -> None:
        self.request = request
        self.api = request.app[API]
        self.account = request[ACCOUNT]
        self.problems: list[NotAcceptable] = []

    def refuse_problems(self) -> None:
        """Raise NotAcceptable with every problem, if there is any."""
        if self.problems:
            raise all_of(self.problems)

    @abstractmethod
    async def open(self) -> RequestBody:
        """Open the body. Raises NotFound, UnsupportedFormat and what the pieces of a body raise."""

    @abstractmethod
    async def plan(self) -> Plan:
        """Check the request and plan its job. Raises NotFound, Conflict, NotAcceptable (every problem)."""

    @abstractmethod
    def parts(self) -> AsyncIterator[JobPart]:
        """Yield the parts of the job; called after `plan`."""


async def accept_request(bulk: BulkRequest) -> web.Response:
    """Accept the job of a bulk request, or find the earlier job of its idempotency key, and respond."""
    key = _read_key(bulk)
    seconds = wanted_wait(bulk.request, bulk.account)
    body = await bulk.open()
    if earlier := await find_earlier(bulk.api, bulk.account.id, key):
        accepted = Accepted(id=same_request(earlier, await body.digest(), key))
    else:
        job = new_job(bulk.request, await bulk.plan(), key)
        accepted = await accept_upload(bulk.api, job, bulk.parts(), body.fingerprint)
        await _ring(bulk.api, job, accepted)
    return await respond(bulk.request, accepted, seconds, bulk.result)


def new_job(request: web.Request, plan: Plan, key: str | None) -> NewJob:
    """Return the job of a plan, with a new id, for the request's account; `key` is its idempotency key."""
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


async def respond(
    request: web.Request, accepted: Accepted, seconds: float, result: ResultBody | None = None
) -> web.Response:
    """Respond with 202, or with 200 (207: an item failed) and the result if the job ends within `seconds`."""
    headers = {"Location": f"/v1/jobs/{show_job_id(accepted.id)}"}
    if accepted.job is None:
        headers["Idempotent-Replayed"] = "true"
    status, body = await _look(request, accepted, seconds, result)
    if status != 202:
        headers |= {"Preference-Applied": f"wait={seconds:g}", "Bulklane-Job": show_job_id(accepted.id)}
    text = body.model_dump_json(exclude_unset=result is not None)
    return web.Response(text=text, status=status, content_type="application/json", headers=headers)


def _read_key(bulk: BulkRequest) -> str | None:
    with gathering(bulk.problems):
        return read_key(bulk.request)
    return None


async def _ring(api: Api, job: NewJob, accepted: Accepted) -> None:
    """Ring for a worker, best effort: the job is accepted even if no worker is rung.

    No worker can apply a job before the earlier ones of its stream have ended. The worker that ends the last
    of them looks for the next one.
    """
    total = accepted.total
    with suppress(TimeoutError):
        async with asyncio.timeout(BELL_SECONDS):
            if total is None:
                await api.ctx.queue.ring_split(job.account_id, job.id)
            elif job.dry_run:
                await api.ctx.queue.ring_dry_run()
            elif accepted.first:
                await api.ctx.queue.ring_work(min(job.parallel, -(-total // CHUNK_ITEMS)))


async def _look(
    request: web.Request, accepted: Accepted, seconds: float, result: ResultBody | None
) -> tuple[int, BaseModel]:
    """Return status and body after the job has ended or the time is up."""
    api, account = request.app[API], request[ACCOUNT]
    try:
        if seconds:
            await api.ended.wait(account.id, accepted.id, seconds)
        (job,) = await jobs.views(api.ctx.pool, account.id, [accepted.id])
        if seconds and job.state in (JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS):
            status = 207 if job.failed else 200
            return status, job_view(job) if result is None else await result(api, account, job)
        return 202, job_view(job)
    except LOST_CONNECTION as error:
        if accepted.job is None:
            raise
        # the job is accepted: after a 503, the client would send it again
        logger.warning("job accepted, but its state cannot be read: %s: %s", type(error).__name__, error)
        return 202, accepted_view(accepted.job, accepted.total)
