"""The list of jobs, which is the first page."""

from aiohttp import web

from api.html.render import page
from api.http.context import scope
from api.http.job_view import job_view
from api.openapi.describe import describe
from storage.pipeline import job_search, jobs
from storage.pipeline.job_search import JobFilter

PAGE_SIZE = 20


@describe(hidden=True)
async def list_jobs(request: web.Request) -> web.Response:
    """Show the newest jobs."""
    ids = await job_search.page(*scope(request), JobFilter(), size=PAGE_SIZE)
    rows = await jobs.views(*scope(request), ids)
    return page(request, "jobs.html", live="/v1/events", jobs=[job_view(row) for row in rows])
