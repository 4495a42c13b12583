"""Accept a bulk request: from the request to the accepted job and its response, for every bulk endpoint."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from api.accept.body import JobPart, RequestBody
from api.accept.idempotency import find_earlier, read_key, same_request
from api.accept.upload import Accepted, Staged, accept_upload
from api.http.context import ACCOUNT, API, CALLER, JOB_ID, REQUEST_ID, Api, trace_of
from api.http.job_view import accepted_view, job_view
from api.http.validation import all_of, gathering
from api.http.waiting import wanted_wait
from schemas.errors import NotAcceptable, NotFound, Unavailable
from schemas.formats.content_type import Format
from schemas.ids import JobId, new_job_id, show_job_id
from schemas.items.reader import CHUNK_ITEMS
from schemas.operations import JobParams, Operation, stream_of
from schemas.states import JobState
from storage.entities.accounts import Account
from storage.pipeline import uploads
from storage.pipeline.jobs import JobRow
from storage.pipeline.uploads import NewJob
from storage.postgres.db_errors import LOST_CONNECTION

logger = logging.getLogger(__name__)

BELL_SECONDS = 1.0  # a Redis that hangs must not delay the 202; the reconciler rings again
# A client that waits is told the end of a small job, which is durable, so the job itself need not be. If it
# has not ended after this time, the api waits for the disk, as the client may be told that it was accepted.
SMALL_JOB_SECONDS = 0.25
CONFIRM_AGAIN_SECONDS = 0.1
ResultBody = Callable[[Api, Account, JobRow], Awaitable[BaseModel]]  # makes the response for an ended job


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The job to make. `format` is the format of its parts; `parallel` None: the setting PARALLEL."""

    operation: Operation
    params: JobParams
    name: str | None = None
    tags: tuple[str, ...] = ()
    format: Format = Format.NDJSON
    parallel: int | None = None
    dry_run: bool = False
    parent_id: JobId | None = None


class BulkRequest(ABC):
    """A bulk request while it is checked; a subclass defines what differs between the bulk endpoints.

    `problems` collects the problems of the request, so that one response reports all of them. `result` makes
    the body of the response for an ended job; None: the body is the job itself. `key` is the idempotency key
    of a request that has it elsewhere than in a header.
    """

    result: ResultBody | None = None
    key: str | None = None

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
    """Accept the job of a bulk request, or find the earlier job of its idempotency key, and respond.

    The response is a 202, or a 200 (207: an item failed) with the result if the job ends within the seconds
    that the request waits.
    """
    key = _read_key(bulk)
    seconds = wanted_wait(bulk.request, bulk.account)
    with closing(await bulk.open()) as body:
        return await _accept(bulk, body, key, seconds)


async def _accept(bulk: BulkRequest, body: RequestBody, key: str | None, seconds: float) -> web.Response:
    if earlier := await find_earlier(bulk.api, bulk.account.id, key):
        return await respond_again(bulk, same_request(earlier, await body.digest(), key), seconds)
    job = new_job(bulk.request, await bulk.plan(), key, body.file_name)
    with bulk.api.ended.listen(job.id) as heard:  # before the job is accepted, so that its end is not missed
        arrived = bulk.request.content.is_eof()
        accepted = await accept_upload(
            bulk.api, job, bulk.parts(), body.fingerprint, arrived=arrived, durable=not seconds
        )
        await ring_for(bulk.api, accepted)
        return await _respond(bulk, accepted, seconds, heard)


async def accept_staged(
    bulk: BulkRequest, body: RequestBody, job: NewJob, staged: Staged, seconds: float
) -> web.Response:
    """Accept the job of a resumable upload, which is stored as `receiving`; respond as `accept_request`."""
    with bulk.api.ended.listen(job.id) as heard:
        accepted = await accept_upload(
            bulk.api, job, bulk.parts(), body.fingerprint, arrived=False, staged=staged
        )
        await ring_for(bulk.api, accepted)
        return await _respond(bulk, accepted, seconds, heard)


def new_job(request: web.Request, plan: Plan, key: str | None = None, file_name: str | None = None) -> NewJob:
    """Return the job of a plan, with a new id, for the request's account; `key` is its idempotency key."""
    request[JOB_ID] = job_id = new_job_id()
    return NewJob(
        account_id=request[ACCOUNT].id,
        id=job_id,
        operation=plan.operation,
        stream=stream_of(plan.operation, plan.params),
        format=plan.format,
        params=plan.params,
        parallel=plan.parallel or request.app[API].ctx.settings.parallel,
        request_id=request[REQUEST_ID],
        name=plan.name,
        tags=plan.tags,
        file_name=file_name,
        dry_run=plan.dry_run,
        parent_id=plan.parent_id,
        submitted_by=request[CALLER],
        idempotency_key=key,
        trace=trace_of(request),
    )


def _read_key(bulk: BulkRequest) -> str | None:
    with gathering(bulk.problems):
        return bulk.key or read_key(bulk.request)
    return None


async def ring_for(api: Api, accepted: Accepted) -> None:
    """Ring for a worker, best effort: the job is accepted even if no worker is rung.

    No worker can apply a job before the earlier ones of its stream have ended. The worker that ends the last
    of them looks for the next one.
    """
    job, total = accepted.job, accepted.total
    api.ctx.announcer.change(job.account_id)
    with suppress(TimeoutError):
        async with asyncio.timeout(BELL_SECONDS):
            if total is None:
                await api.ctx.queue.ring_split(job.account_id, job.id)
            elif job.dry_run:
                await api.ctx.queue.ring_dry_run()
            elif not accepted.place.ahead:
                await api.ctx.queue.ring_work(min(job.parallel, -(-total // CHUNK_ITEMS)))


async def _respond(
    bulk: BulkRequest, accepted: Accepted, seconds: float, heard: asyncio.Event
) -> web.Response:
    """Respond to the request of a new job, after it has ended or the time is up."""
    job = accepted.job
    try:
        if seconds and (row := await _await_end(bulk.api, accepted, seconds, heard)):
            return await _show(bulk, row, seconds)
    except LOST_CONNECTION as error:
        # the job is accepted: after a 503, the client would send it again
        logger.warning("job accepted, but its state cannot be read: %s: %s", type(error).__name__, error)
    return _response(202, job.id, accepted_view(job, accepted.place, accepted.total))


async def _await_end(api: Api, accepted: Accepted, seconds: float, heard: asyncio.Event) -> JobRow | None:
    """Return the job when it has ended or the time is up, and is on disk. None: the job was deleted.

    A job that has ended is on disk. Raises UploadLost if a crash has lost the job, and Unavailable if nobody
    knows, because PostgreSQL does not respond.
    """
    job = accepted.job
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    if not accepted.durable:
        if await api.ended.hear(heard, min(seconds, SMALL_JOB_SECONDS)):
            with suppress(*LOST_CONNECTION):
                row = await api.ended.wait(job.account_id, job.id, 0, heard=heard)
                if row and row.state.ended:
                    return row
        await _confirm(api, job, until - clock())
    return await api.ended.wait(job.account_id, job.id, until - clock(), heard=heard)


async def _confirm(api: Api, job: NewJob, seconds: float) -> None:
    """Wait until an accepted job is on disk. Tries again for `seconds` while PostgreSQL does not respond."""
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    while True:
        try:
            return await uploads.confirm(api.ctx.pool, job.account_id, job.id)
        except LOST_CONNECTION as error:
            if clock() > until:
                raise Unavailable("PostgreSQL does not respond: send the request again") from error
        await asyncio.sleep(CONFIRM_AGAIN_SECONDS)


async def respond_again(bulk: BulkRequest, job_id: JobId, seconds: float) -> web.Response:
    """Respond to the repetition of a request that made this job."""
    row = await bulk.api.ended.wait(bulk.account.id, job_id, seconds)
    if row is None:
        raise NotFound(f"the job {show_job_id(job_id)} of this request was deleted", code="unknown_job")
    if not row.state.ended:  # the first request may still wait for the disk
        await uploads.confirm(bulk.api.ctx.pool, bulk.account.id, job_id)
    response = await _show(bulk, row, seconds)
    response.headers["Idempotent-Replayed"] = "true"
    return response


async def _show(bulk: BulkRequest, job: JobRow, seconds: float) -> web.Response:
    """Respond with the result of a job if it ended while the request waited, or else with the job."""
    if not seconds or job.state not in (JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS):
        return _response(202, job.id, job_view(job))
    status = 207 if job.failed else 200
    if bulk.result is None:
        response = _response(status, job.id, job_view(job))
    else:
        response = _response(status, job.id, await bulk.result(bulk.api, bulk.account, job), unset=False)
    response.headers["Preference-Applied"] = f"wait={seconds:g}"
    response.headers["Bulklane-Job"] = show_job_id(job.id)
    return response


def _response(status: int, job_id: JobId, body: BaseModel, *, unset: bool = True) -> web.Response:
    """Return a response about a job. Without `unset`, members of the body that were not set are left out."""
    return web.Response(
        text=body.model_dump_json(exclude_unset=not unset),
        status=status,
        content_type="application/json",
        headers={"Location": f"/v1/jobs/{show_job_id(job_id)}"},
    )
