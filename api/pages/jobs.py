"""The list of jobs, which is the first page: with filters in its address, and exact counts by state."""

from aiohttp import web

from api.actions.list_jobs import job_filter, page_of_jobs
from api.html.figures import items_a_second
from api.html.render import page
from api.html.session import own_address
from api.http.context import scope
from api.http.job_view import job_view
from api.http.validation import read_query
from api.openapi.describe import describe
from schemas.operations import Operation
from schemas.states import JobState
from schemas.wire.page_queries import JobsPageQuery
from storage.pipeline import job_search, jobs

FILTERS = ("operation", "name", "tag", "since", "until")


@describe(hidden=True)
async def list_jobs(request: web.Request) -> web.Response:
    """Show a page of jobs, newest first."""
    query = read_query(request, JobsPageQuery)
    found = await page_of_jobs(*scope(request), query)
    views = [job_view(row) for row in await jobs.views(*scope(request), found.ids)]
    any_state = query.model_copy(update={"state": ()})
    return page(
        request,
        "jobs.html",
        live="/v1/events",
        jobs=[(job, None if job.state.ended else items_a_second(job)) for job in views],
        counts=await job_search.counts(*scope(request), job_filter(any_state)),
        states=list(JobState),
        chosen=request.query.get("state", ""),
        operations=list(Operation),
        query=query,
        filters={name: request.query.get(name) for name in FILTERS},
        newer=found.newer,
        older=found.older,
        host=own_address(request),
    )
