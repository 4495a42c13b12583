"""Count each request, and measure how long its response takes."""

import time

from aiohttp import web
from aiohttp.typedefs import Handler

from api.http.access_log import route_of
from schemas.metrics import REQUEST_DURATION, REQUESTS
from schemas.noted_metrics import count, observe

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"  # a client may send any word as a method
UNMATCHED = "unmatched"  # nothing is at the path
ABORTED = "aborted"  # the status of a response that was not sent, or not to its end


@web.middleware
async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the request by method, route and status. The route has no ids, so the series are few."""
    started = time.perf_counter()
    status = ABORTED
    try:
        response = await handler(request)
        status = str(response.status)
        return response
    finally:
        method = request.method if request.method in METHODS else OTHER
        route = route_of(request) or UNMATCHED
        count(REQUESTS, method, route, status)
        observe(REQUEST_DURATION, time.perf_counter() - started, method, route)


def count_malformed(status: int) -> None:
    """Count a request that is not valid HTTP, so that no middleware sees it."""
    count(REQUESTS, OTHER, UNMATCHED, str(status))
