"""Trace each request, in the trace that its client names or in a new one, if traces are on."""

from aiohttp import web
from aiohttp.typedefs import Handler

from api.http.access_log import PROBES, route_of
from api.http.context import ACCOUNT, JOB_ID, REQUEST_ID, TRACE, received_trace
from api.middleware.measure import METHODS, UNMATCHED
from schemas import traces
from schemas.ids import JobId, show_account_id, show_job_id
from schemas.traces import TraceSpan

# Asked every few seconds, or open for hours: statements that many streams share would be in the trace of one.
UNTRACED = PROBES | {"/metrics", "/v1/events", "/v1/jobs/{job_id}/events"}


@web.middleware
async def trace(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Record the span of the request. It has the route, not the path: an id can be a client's own."""
    route = route_of(request)
    if not traces.are_on() or route in UNTRACED:
        return await handler(request)
    method = request.method if request.method in METHODS else "_OTHER"  # a client may send any word
    attributes = {"http.request.method": method, "url.scheme": request.scheme}
    if route:
        attributes["http.route"] = route
    name = f"{method} {route or UNMATCHED}"
    with traces.request_span(name, received_trace(request), attributes) as span:
        request[TRACE] = span
        response = await handler(request)
        _note_response(span, request, response)
        return response


def _note_response(span: TraceSpan, request: web.Request, response: web.StreamResponse) -> None:
    noted: dict[str, str | int] = {"http.response.status_code": response.status}
    if REQUEST_ID in request:
        noted["bulklane.request"] = request[REQUEST_ID]
    if ACCOUNT in request:
        noted["bulklane.account"] = show_account_id(request[ACCOUNT].id)
    if JOB_ID in request:
        noted["bulklane.job"] = show_job_id(JobId(request[JOB_ID]))
    span.set(noted)
    if response.status >= 500:
        span.fail(str(response.status))
