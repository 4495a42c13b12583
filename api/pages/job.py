"""One job: its progress, its chunks, its errors and results; cancel it, retry what failed, undo it."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from api.accept.accept import BulkRequest, accept_request
from api.actions.cancel_job import cancel_and_wait
from api.actions.job_id import JOB
from api.actions.retry_job import RetryRequest
from api.actions.undo_job import UndoRequest
from api.html.figures import items_a_second, plot, span_of, strip, timeline
from api.html.render import page, see_other
from api.html.session import own_address
from api.html.shows import first_row
from api.http.context import ACCOUNT, API, REQUEST_ID, scope
from api.http.job_view import error_view, job_view, result_view
from api.http.validation import read_query
from api.http.views.audit_view import audit_entry
from api.openapi.describe import describe
from api.pages.forms import read_form
from schemas.errors import Conflict
from schemas.ids import JobId, show_job_id
from schemas.wire.bulk_query import UndoQuery
from schemas.wire.jobs import Job
from schemas.wire.page_queries import JobPageQuery
from storage.inspection import chunk_strip, error_search, job_audit
from storage.inspection.error_search import ErrorFilter
from storage.pipeline import jobs, results
from storage.pipeline.results import ResultRow
from storage.undo import undoing

PAGE_SIZE = 20
RESULT_READS = 5  # of two chunks: so many results are looked through for those of one outcome
MAX_KEY = 100


@describe(hidden=True)
async def show_job(request: web.Request) -> web.Response:
    """Show a job."""
    asked = read_query(request, JobPageQuery)
    job_id = await JOB.in_path(request)
    job = job_view(JOB.found(request, await jobs.view(*scope(request), job_id)))
    source = JOB.found(request, await chunk_strip.source(*scope(request), job_id))
    query = asked.in_file(first_row(source.format))
    context = {
        "job": job,
        "title": job.name or job.file_name or job.operation,
        "source": source,
        "steps": timeline(job),
        "audit": [audit_entry(row) for row in await job_audit.actions(*scope(request), job_id)],
        "pace": items_a_second(job),
        "query": query,
        "once": request[REQUEST_ID],
        "host": own_address(request),
        **await _figures(request, job_id, job),
        **await _items(request, job_id, query),
    }
    if not job.state.ended:
        context["live"] = job.events_url
    return page(request, "job.html", **context)


@describe(hidden=True)
async def cancel_job(request: web.Request) -> web.Response:
    """Cancel a job, and show it."""
    await read_form(request)
    job_id = await JOB.in_path(request)
    with suppress(Conflict):  # it has ended meanwhile, and the page shows how
        JOB.found(request, await cancel_and_wait(request, request[ACCOUNT].id, job_id))
    return see_other(_path(show_job_id(job_id)))


@describe(hidden=True)
async def retry_job(request: web.Request) -> web.Response:
    """Retry the failed items of a job, and show the new job."""
    form = await read_form(request)
    parent = JOB.found(request, await jobs.parent(*scope(request), await JOB.in_path(request)))
    return await _make_once(RetryRequest(request, parent), form)


@describe(hidden=True)
async def undo_job(request: web.Request) -> web.Response:
    """Undo a job, or check that by a dry run, and show the new job."""
    form = await read_form(request)
    days = request.app[API].ctx.settings.undo_days
    job = await undoing.undoable(*scope(request), await JOB.in_path(request), days=days)
    query = UndoQuery(dry_run="dry_run" in form)
    return await _make_once(UndoRequest(request, JOB.found(request, job), query), form)


async def _make_once(bulk: BulkRequest, form: Mapping[str, str]) -> web.Response:
    """Make the job of a form, and show it. A form that is sent twice makes one job."""
    once = form.get("once", "")
    bulk.key = f"page {once}" if once.isascii() and once.isprintable() and 0 < len(once) < MAX_KEY else None
    bulk.account = replace(bulk.account, default_wait=0)  # the page of the new job shows its end
    response = await accept_request(bulk)
    return see_other(_path(response.headers["Location"].rpartition("/")[2]))


async def _figures(request: web.Request, job_id: JobId, job: Job) -> dict[str, Any]:
    """Return the strip of the chunks and the plot of the throughput."""
    cells = await chunk_strip.cells(*scope(request), job_id)
    figures: dict[str, Any] = {
        "segments": strip(cells),
        "chunks": {
            name: sum(getattr(cell, name) for cell in cells)
            for name in ("chunks", "done", "running", "cancelled")
        },
        "plot": None,
    }
    if job.started_at and figures["chunks"]["done"]:
        until = job.finished_at or datetime.now(UTC)
        span = span_of(job.started_at, until)
        paces = await chunk_strip.paces(*scope(request), job_id, job.started_at, span)
        figures["plot"] = plot(paces, job.started_at, until)
    return figures


async def _items(request: web.Request, job_id: JobId, query: JobPageQuery) -> dict[str, Any]:
    """Return the page of errors or results, and the index from which to continue."""
    if query.show == "errors":
        wanted = ErrorFilter(code=query.code, field=query.field, text=query.text)
        found = await error_search.search(*scope(request), job_id, wanted, after=query.after, size=PAGE_SIZE)
        errors = [error_view(error) for error in found.errors]
        return {"rows": errors, "following": _next(found.following), "whole": found.whole}
    matching, looked_up_to = await _results(request, job_id, query)
    rows = [result_view(row) for row in matching[:PAGE_SIZE]]
    whole = len(matching) > PAGE_SIZE
    return {
        "rows": rows,
        "following": _next(rows[-1].index if whole else looked_up_to),
        "whole": whole,
    }


async def _results(
    request: web.Request, job_id: JobId, query: JobPageQuery
) -> tuple[list[ResultRow], int | None]:
    """Return more than a page of matching results, or those that a few reads find.

    Returns also the index up to which was read; None: there are no more.
    """
    matching: list[ResultRow] = []
    after = query.after
    for _ in range(RESULT_READS):
        found = await results.result_page(*scope(request), job_id, after)
        if not found:
            return matching, None
        matching += [row for row in found if query.outcome in (None, row.outcome.word)]
        after = found[-1].index
        if len(matching) > PAGE_SIZE:
            break
    return matching, after


def _next(index: int | None) -> int | None:
    return None if index is None else index + 1


def _path(job_id: str) -> str:
    return f"/jobs/{job_id}"
