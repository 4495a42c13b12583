"""/v1/jobs: list and show jobs, their errors and results; cancel a job; retry its failed items."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from aiohttp import web

from api.accept.accept import BELL_SECONDS, BulkRequest, Plan, accept_request
from api.accept.body import Fingerprint, JobPart, RequestBody, cut_parts
from api.endpoint import endpoint
from api.http.context import ACCOUNT, API, Api, scope
from api.http.job_view import error_view, job_view, result_view
from api.http.path_id import PathId
from api.http.responses import shown
from api.http.waiting import wanted_wait
from api.openapi.describe import Response
from api.results.export import Media, stream_errors, stream_results, wanted_media
from api.results.retry import check_retry, failed_items, format_of_failed
from schemas.errors import Conflict
from schemas.ids import AccountId, JobId, read_job_id, show_job_id
from schemas.operations import Operation
from schemas.states import JobState
from schemas.wire.base import Listing
from schemas.wire.jobs import ItemErrorView, Job, ResultView
from schemas.wire.query_models import JobQuery, JobsQuery, ResultsQuery
from storage.pipeline import cancellation, jobs, results
from storage.pipeline.cancellation import Standing
from storage.pipeline.jobs import Parent

CANCEL_WAIT_SECONDS = 2.0  # a running worker ends a cancelled job within milliseconds
FILES = (Media.CSV.value, Media.NDJSON.value)


async def _known(request: web.Request, text: str) -> JobId | None:
    """Return the job that the path names; None if it does not exist."""
    job_id = read_job_id(text)
    known = job_id is not None and await jobs.state_of(*scope(request), job_id) is not None
    return job_id if known else None


JOB = PathId(name="job", param="job_id", read=read_job_id, code="unknown_job")
KNOWN_JOB = PathId(name="job", param="job_id", look_up=_known, code="unknown_job")
JobIdInPath = Annotated[JobId, JOB]
KnownJobId = Annotated[JobId, KNOWN_JOB]


@endpoint(responses={200: Listing[Job]})
async def list_jobs(request: web.Request, query: JobsQuery) -> web.Response:
    """List jobs, newest first, with the filters `state`, `operation` and `since`."""
    account = request[ACCOUNT]
    pool = request.app[API].ctx.pool
    ids = await jobs.page(
        pool,
        account.id,
        size=query.limit + 1,
        state=query.state,
        operation=query.operation,
        since=query.since,
        before=query.cursor,
    )
    rows = await jobs.views(pool, account.id, ids[: query.limit])
    following = show_job_id(ids[query.limit - 1]) if len(ids) > query.limit else None
    return shown(Listing[Job](data=[job_view(row) for row in rows], next_cursor=following))


@endpoint(responses={200: Job})
async def get_job(request: web.Request, job_id: JobIdInPath, query: JobQuery) -> web.Response:
    """Get a job; `?wait=S` holds the response until the job ends."""
    account = request[ACCOUNT]
    api = request.app[API]
    if query.wait:
        row = await api.ended.wait(account.id, job_id, query.wait)
    else:
        row = await jobs.view(api.ctx.pool, account.id, job_id)
    return shown(job_view(JOB.found(request, row)))


@endpoint(responses={200: Response(model=Listing[ItemErrorView], also=FILES)})
async def list_errors(request: web.Request, job_id: KnownJobId, query: ResultsQuery) -> web.StreamResponse:
    """List item errors: in pages of JSON, or all of them as CSV or NDJSON, to correct and send back."""
    account = request[ACCOUNT]
    pool = request.app[API].ctx.pool
    media = wanted_media(request)
    if media is not Media.JSON:
        return await stream_errors(request, account.id, job_id, media, query)
    found, more = await results.errors(pool, account.id, job_id, query.after, query.limit)
    following = str(found[-1].index) if more else None
    page = [error_view(error) for error in found]
    return shown(Listing[ItemErrorView](data=page, next_cursor=following))


@endpoint(responses={200: Response(model=Listing[ResultView], also=FILES)})
async def list_results(request: web.Request, job_id: KnownJobId, query: ResultsQuery) -> web.StreamResponse:
    """List the results of the items: in pages of JSON, or all of them as CSV or NDJSON."""
    account = request[ACCOUNT]
    pool = request.app[API].ctx.pool
    media = wanted_media(request)
    if media is not Media.JSON:
        return await stream_results(request, account.id, job_id, media, query)
    size, found = query.limit, []
    async for result in results.results(pool, account.id, job_id, query.after):
        found.append(result)
        if len(found) > size:
            break
    following = str(found[size - 1].index) if len(found) > size else None
    page = [result_view(result) for result in found[:size]]
    return shown(Listing[ResultView](data=page, next_cursor=following))


@endpoint(responses={200: Job}, errors=(409,), prefers=True)
async def cancel_job(request: web.Request, job_id: JobIdInPath) -> web.Response:
    """Cancel the items of a job that are not applied yet; applied items and their results are kept.

    Responds when the job has ended, or after 2 seconds (or `Prefer: wait=S`) with its state at that time.
    """
    account = request[ACCOUNT]
    api = request.app[API]
    standing = JOB.found(request, await cancellation.cancel(api.ctx.pool, account.id, job_id))
    if standing.state.ended and standing.state is not JobState.CANCELLED:
        message = f"the job has ended as {standing.state}: there is nothing to cancel"
        raise Conflict(message, code="job_ended")
    api.ctx.announcer.change(account.id)
    await _ring_end(api, account.id, job_id, standing)
    seconds = wanted_wait(request, account) if "Prefer" in request.headers else CANCEL_WAIT_SECONDS
    row = await api.ended.wait(account.id, job_id, seconds)
    return shown(job_view(JOB.found(request, row)))


@endpoint(responses={200: Job, 202: Job, 207: Job})
async def retry_job(request: web.Request, job_id: JobIdInPath) -> web.Response:
    """Accept a new job from the failed items, with the operation and the parameters of their job."""
    parent = JOB.found(request, await jobs.parent(*scope(request), job_id))
    return await accept_request(RetryRequest(request, parent))


class RetryRequest(BulkRequest):
    """A request whose items are the failed ones of an ended job; it has no body."""

    def __init__(self, request: web.Request, parent: Parent) -> None:
        super().__init__(request)
        self._parent = parent

    async def open(self) -> RequestBody:
        """Return a body that is not read: the fingerprint is that of the path."""
        return RequestBody(
            format=format_of_failed(self._parent),
            fingerprint=Fingerprint(self.request),
            file_name=self._parent.file_name,
        )

    async def plan(self) -> Plan:
        """Plan a job with the operation and parameters of the parent. Raises NotAcceptable, Conflict."""
        self.refuse_problems()
        check_retry(self._parent)
        return Plan(
            operation=RETRIED_AS.get(self._parent.operation, self._parent.operation),
            params=self._parent.params,
            name=self._parent.name,
            tags=self._parent.tags,
            format=format_of_failed(self._parent),
            parallel=self._parent.parallel,
            dry_run=self._parent.dry_run,
            parent_id=self._parent.job_id,
        )

    def parts(self) -> AsyncIterator[JobPart]:
        """Cut the failed items into parts."""
        return cut_parts(
            failed_items(self.api.ctx.pool, self._parent),
            format_of_failed(self._parent),
            self._parent.operation,
            settings=self.api.ctx.settings,
        )


# A retry of an overwrite must keep the contacts that the overwrite put into the list.
RETRIED_AS = {Operation.LISTS_OVERWRITE: Operation.LISTS_ADD}


async def _ring_end(api: Api, account_id: AccountId, job_id: JobId, standing: Standing) -> None:
    """Ring for the worker that ends a cancelled job, or announce its end; best effort."""
    queue = api.ctx.queue
    with suppress(TimeoutError):
        async with asyncio.timeout(BELL_SECONDS):
            match standing:
                case Standing(state=JobState.CANCELLED):
                    await api.ctx.announcer.end([(account_id, job_id)])
                case Standing(unsplit=True):
                    await queue.ring_split(account_id, job_id)
                case _:
                    await queue.ring_finish(account_id, job_id)
