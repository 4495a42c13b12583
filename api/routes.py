"""The whole API on one page. This table feeds the router and the authentication tests."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from api.handlers import bulk, health, jobs

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint; `public` ones need no key, `bulk` ones count in the account's admission window."""

    method: str
    path: str
    handler: Handler
    public: bool = False
    bulk: bool = False


ROUTES = (
    Route("POST", "/v1/bulk/{operation}", bulk.submit, bulk=True),
    Route("GET", "/v1/jobs", jobs.list_jobs),
    Route("GET", "/v1/jobs/{job_id}", jobs.get_job),
    Route("GET", "/v1/jobs/{job_id}/errors", jobs.list_errors),
    Route("GET", "/v1/jobs/{job_id}/results", jobs.list_results),
    Route("GET", "/healthz", health.healthz, public=True),
    Route("GET", "/readyz", health.readyz, public=True),
)
