"""One line in the log for each request."""

import logging

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.web_request import BaseRequest

from api.http.context import ACCOUNT, JOB_ID, REQUEST_ID, TRACE
from schemas.ids import JobId, show_account_id, show_job_id

access = logging.getLogger("api.access")

PROBES = frozenset(("/healthz", "/readyz"))  # asked every few seconds, and of no interest while all is well


class AccessLog(AbstractAccessLogger):
    """Logs method, route, status, duration, request id, account and new job of a request, when it has ended.

    The line has the route, not the path, because an id in a path can be a client's own, such as a phone.
    A probe that finds no fault is logged at the level DEBUG, everything else at INFO.
    """

    @property
    def enabled(self) -> bool:
        """Whether any request is logged."""
        return self.logger.isEnabledFor(logging.INFO)

    def log(self, request: BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Log a request. `time` is its duration in seconds, from the end of its headers."""
        route = route_of(request)
        account = request.get(ACCOUNT)
        fields = {
            "method": request.method,
            "route": route,
            "status": response.status,
            "ms": round(time * 1000, 1),
            "request_id": request.get(REQUEST_ID),
            "account": show_account_id(account.id) if account else None,
        }
        if TRACE in request and (place := request[TRACE].place):
            fields["trace_id"] = place.shown_trace
        if JOB_ID in request:
            fields["job"] = show_job_id(JobId(request[JOB_ID]))
        level = logging.DEBUG if route in PROBES and response.status < 400 else logging.INFO
        self.logger.log(level, "request", extra={"fields": fields})


def route_of(request: BaseRequest) -> str | None:
    """Return the route as in the documentation; None if there is none."""
    resource = request.match_info.route.resource if isinstance(request, web.Request) else None
    return resource.canonical if resource else None
