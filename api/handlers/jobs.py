"""GET /v1/jobs and what hangs below: the answers."""

from datetime import UTC, datetime

from aiohttp import web

from api.context import API
from api.exports import Media, stream_errors, stream_results, wanted_media
from api.paging import read_cursor, read_limit
from api.render import job_view, result_view
from api.request_keys import ACCOUNT
from api.wait import polled_wait, wait_for_end
from schemas.errors import NotAcceptable, NotFound
from schemas.ids import JobId, read_job_id, show_job_id
from schemas.jobs import ItemErrorView, Page, Wire
from schemas.states import JobState, Operation
from storage import jobs, outcomes


async def list_jobs(request: web.Request) -> web.Response:
    """The account's jobs, newest first; filters `state`, `operation`, `since`."""
    account = request[ACCOUNT]
    pool = request.app[API].ctx.pool
    size = read_limit(request, default=20, most=100)
    ids = await jobs.page(
        pool,
        account.id,
        size=size + 1,
        state=_state(request),
        operation=_operation(request),
        since=_since(request),
        before=_before(request),
    )
    rows = await jobs.views(pool, account.id, ids[:size])
    following = show_job_id(ids[size - 1]) if len(ids) > size else None
    return _json(Page(data=[job_view(row) for row in rows], next_cursor=following))


async def get_job(request: web.Request) -> web.Response:
    """One job; `?wait=S` holds the answer back until it ends."""
    account = request[ACCOUNT]
    api = request.app[API]
    job_id = _job_id(request)
    if seconds := polled_wait(request):
        await wait_for_end(api, account.id, job_id, seconds)
    rows = await jobs.views(api.ctx.pool, account.id, [job_id])
    if not rows:
        raise _unknown(request)
    return _json(job_view(rows[0]))


async def list_errors(request: web.Request) -> web.StreamResponse:
    """Item errors: pages of JSON, or all of them as CSV or NDJSON, to be corrected and sent back."""
    account = request[ACCOUNT]
    pool = request.app[API].ctx.pool
    job_id = await _known(request)
    media = wanted_media(request)
    if media is not Media.JSON:
        return await stream_errors(request, account.id, job_id, media)
    size = read_limit(request, default=100, most=1000)
    found, more = await outcomes.errors(pool, account.id, job_id, read_cursor(request), size)
    following = str(found[-1]["index"]) if more else None
    return _json(Page(data=[ItemErrorView(**error) for error in found], next_cursor=following))


async def list_results(request: web.Request) -> web.StreamResponse:
    """The answer of each item: pages of JSON, or all of them as CSV or NDJSON."""
    account = request[ACCOUNT]
    pool = request.app[API].ctx.pool
    job_id = await _known(request)
    media = wanted_media(request)
    if media is not Media.JSON:
        return await stream_results(request, account.id, job_id, media)
    size = read_limit(request, default=100, most=1000)
    found = []
    async for result in outcomes.results(pool, account.id, job_id, read_cursor(request), chunks=2):
        found.append(result)
        if len(found) > size:
            break
    following = str(found[size - 1].index) if len(found) > size else None
    return _json(Page(data=[result_view(result) for result in found[:size]], next_cursor=following))


async def _known(request: web.Request) -> JobId:
    """The job id of the path, if the account has such a job."""
    account = request[ACCOUNT]
    job_id = _job_id(request)
    if await jobs.state_of(request.app[API].ctx.pool, account.id, job_id) is None:
        raise _unknown(request)
    return job_id


def _job_id(request: web.Request) -> JobId:
    job_id = read_job_id(request.match_info["job_id"])
    if job_id is None:
        raise _unknown(request)
    return job_id


def _unknown(request: web.Request) -> NotFound:
    return NotFound(f"there is no job {request.match_info['job_id']}", code="unknown_job")


def _state(request: web.Request) -> JobState | None:
    text = request.query.get("state")
    if text is None:
        return None
    if text not in list(JobState):
        raise NotAcceptable(f"{text!r} is not a state; known are {', '.join(JobState)}", param="state")
    return JobState(text)


def _operation(request: web.Request) -> Operation | None:
    text = request.query.get("operation")
    if text is None:
        return None
    if text not in list(Operation):
        raise NotAcceptable(
            f"{text!r} is not an operation; known are {', '.join(Operation)}", param="operation"
        )
    return Operation(text)


def _since(request: web.Request) -> datetime | None:
    text = request.query.get("since")
    if text is None:
        return None
    try:
        since = datetime.fromisoformat(text.replace(" ", "+"))  # a plus sign that was not escaped
        if since.tzinfo is not None:
            return since.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise NotAcceptable("since is a time with its zone, like 2026-11-21T10:00:00Z", param="since")


def _before(request: web.Request) -> JobId | None:
    text = request.query.get("cursor")
    if text is None:
        return None
    job_id = read_job_id(text)
    if job_id is None:
        raise NotAcceptable("cursor is the next_cursor of another page", param="cursor")
    return job_id


def _json(model: Wire) -> web.Response:
    return web.Response(text=model.model_dump_json(), content_type="application/json")
