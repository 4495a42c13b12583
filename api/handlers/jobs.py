"""/v1/jobs: list, count and show jobs, their errors, results and audit; cancel, retry and undo them."""

from aiohttp import web

from api.accept.accept import accept_request
from api.actions.cancel_job import CANCEL_WAIT_SECONDS, cancel_and_wait
from api.actions.cancel_jobs import cancel_all
from api.actions.job_id import JOB, JobIdInPath, KnownJobId
from api.actions.list_jobs import job_filter, page_of_jobs
from api.actions.retry_job import RetryRequest
from api.actions.retry_jobs import retry_all
from api.actions.undo_job import UndoRequest
from api.endpoint import endpoint
from api.http.context import ACCOUNT, API, scope
from api.http.job_view import error_view, job_view, result_view
from api.http.responses import shown
from api.http.views.audit_view import audit_entry
from api.http.waiting import wanted_wait
from api.openapi.describe import Response
from api.results.export import Media, stream_errors, stream_results, wanted_media
from schemas.wire.base import Listing
from schemas.wire.bulk_query import UndoQuery
from schemas.wire.job_actions import CancelledJobs, JobsAction, RetriedJobs
from schemas.wire.jobs import ItemErrorView, Job, JobListing, JobNumbers, ResultView
from schemas.wire.query_models import JobFilterQuery, JobQuery, JobsQuery, ResultsQuery
from schemas.wire.security.audit import AuditEntry
from storage.inspection import job_audit
from storage.pipeline import job_search, jobs, results
from storage.undo import undoing

FILES = (Media.CSV.value, Media.NDJSON.value)


@endpoint(responses={200: JobListing})
async def list_jobs(request: web.Request, query: JobsQuery) -> web.Response:
    """List jobs, newest first. All filters that are given must match."""
    pool, account_id = scope(request)
    page = await page_of_jobs(pool, account_id, query)
    rows = await jobs.views(pool, account_id, page.ids)
    return shown(
        JobListing(
            data=[job_view(row) for row in rows],
            next_cursor=str(page.older) if page.older else None,
            previous_cursor=str(page.newer) if page.newer else None,
        )
    )


@endpoint(responses={200: JobNumbers})
async def count_jobs(request: web.Request, query: JobFilterQuery) -> web.Response:
    """Count jobs by state, exactly, with the filters of the list."""
    pool, account_id = scope(request)
    states = await job_search.counts(pool, account_id, job_filter(query))
    return shown(JobNumbers(total=sum(states.values()), states=states))


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


@endpoint(responses={200: Response(model=Listing[ItemErrorView], also=FILES)}, errors=(409,))
async def list_errors(request: web.Request, job_id: KnownJobId, query: ResultsQuery) -> web.StreamResponse:
    """List item errors: in pages of JSON, or all of them as CSV or NDJSON, to correct and send back."""
    account = request[ACCOUNT]
    pool = request.app[API].ctx.pool
    media = wanted_media(request, query)
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
    media = wanted_media(request, query)
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


@endpoint(responses={200: Listing[AuditEntry]})
async def list_audit(request: web.Request, job_id: JobIdInPath) -> web.Response:
    """List who submitted, cancelled and retried a job, when and from where, in the order of time."""
    rows = await job_audit.actions(*scope(request), job_id)
    JOB.found(request, rows or None)
    return shown(Listing[AuditEntry](data=[audit_entry(row) for row in rows], next_cursor=None))


@endpoint(responses={200: Job}, errors=(409,), prefers=True)
async def cancel_job(request: web.Request, job_id: JobIdInPath) -> web.Response:
    """Cancel the items of a job that are not applied yet; applied items and their results are kept.

    Responds when the job has ended, or after 2 seconds (or `Prefer: wait=S`) with its state at that time.
    """
    account = request[ACCOUNT]
    seconds = wanted_wait(request, account) if "Prefer" in request.headers else CANCEL_WAIT_SECONDS
    row = await cancel_and_wait(request, account.id, job_id, seconds)
    return shown(job_view(JOB.found(request, row)))


@endpoint(responses={200: Job, 202: Job, 207: Job})
async def retry_job(request: web.Request, job_id: JobIdInPath) -> web.Response:
    """Accept a new job from the failed items, with the operation and the parameters of their job."""
    parent = JOB.found(request, await jobs.parent(*scope(request), job_id))
    return await accept_request(RetryRequest(request, parent))


@endpoint(responses={200: Job, 202: Job, 207: Job})
async def undo_job(request: web.Request, job_id: JobIdInPath, query: UndoQuery) -> web.Response:
    """Accept a new job that gives the contacts of an ended job back what they had before it.

    Values that were changed after the job are kept, and the results name them, unless `force` is true.
    """
    days = request.app[API].ctx.settings.undo_days
    job = JOB.found(request, await undoing.undoable(*scope(request), job_id, days=days))
    return await accept_request(UndoRequest(request, job, query))


@endpoint(
    responses={200: CancelledJobs}, errors=(409,), examples={"a preview": {"filter": {"tag": "import"}}}
)
async def cancel_jobs(request: web.Request, body: JobsAction) -> web.Response:
    """Cancel all jobs that match a filter. Without `"preview": false` it only counts them."""
    return shown(await cancel_all(request, body))


@endpoint(responses={200: RetriedJobs}, errors=(409,), examples={"a preview": {"filter": {"tag": "import"}}})
async def retry_jobs(request: web.Request, body: JobsAction) -> web.Response:
    """Retry all jobs that match a filter. Without `"preview": false` it only counts them."""
    return shown(await retry_all(request, body))
