"""Respond to every error with the one envelope. Only this table maps errors to HTTP statuses."""

import json
import logging
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from api.html.render import error_page, wants_page
from api.http.access_log import route_of
from api.http.context import ERROR_HEADERS, PROBLEM, REFUSAL_STATUS, REQUEST_ID, STREAMING
from schemas import errors
from schemas.errors import UploadCut
from schemas.metrics import UNEXPECTED_ERRORS
from storage.postgres.db_errors import trouble_of
from storage.repeated_log import RepeatedLog

logger = logging.getLogger(__name__)
REPEATED = web.AppKey("repeated", RepeatedLog)

KEPT = ("Retry-After", "Allow")  # headers of an envelope that a page has, too
STATUSES: dict[type[errors.BulklaneError], int] = {
    errors.MalformedBody: 400,
    UploadCut: 400,
    errors.InconsistentLength: 400,
    errors.NotAuthenticated: 401,
    errors.NotPermitted: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.BodyTooLarge: 413,
    errors.UnsupportedFormat: 415,
    errors.NotAcceptable: 422,
    errors.RateLimited: 429,
    errors.Unavailable: 503,
    errors.UploadLost: 503,
    errors.UploadProcessing: 503,
}


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn an exception into a response. An unexpected exception is logged, and the response is a 500."""
    try:
        return await handler(request)
    except Exception as error:
        if request.get(STREAMING):  # cut the stream, so that the client sees that it is unfinished
            logger.warning("response cut at %s: %s: %s", _route_of(request), type(error).__name__, error)
            raise ConnectionResetError("the response was cut") from error
        return _answer(request, error)


def _answer(request: web.Request, error: Exception) -> web.Response:
    response = _envelope_of(request, error)
    return _as_page(request, error, response) if wants_page(request) else response


def _as_page(request: web.Request, error: Exception, response: web.Response) -> web.Response:
    """Return the page in place of the envelope of an error, with the same status and headers."""
    assert isinstance(response.text, str)
    shown = json.loads(response.text)["error"]
    known = error if isinstance(error, errors.BulklaneError) else errors.BulklaneError(shown["message"])
    page = error_page(request, known, response.status)
    page.headers.update({name: response.headers[name] for name in KEPT if name in response.headers})
    return page


def _envelope_of(request: web.Request, error: Exception) -> web.Response:
    match error:
        case errors.NotAcceptable():
            return envelope(request, error, status=request.get(REFUSAL_STATUS))
        case errors.BulklaneError():
            return envelope(request, error)
        case web.HTTPException():
            return _of_aiohttp(request, error)
        case _ if trouble := trouble_of(error):
            text = "%s: %s: %s"
            request.app[REPEATED].log(logging.WARNING, trouble, text, trouble, type(error).__name__, error)
            return envelope(request, errors.Unavailable(f"{trouble}: send the request again"))
        case _:
            _log_ours(request, error)
            message = "an unexpected error, which is logged: report it with the request_id"
            return envelope(request, errors.BulklaneError(message))


def _log_ours(request: web.Request, error: Exception) -> None:
    """Log an error of ours: one line for each, so that its request_id is found, and few tracebacks."""
    where = f"{request.method} {_route_of(request)}"
    name = type(error).__name__
    UNEXPECTED_ERRORS.inc()
    logger.error("unexpected error at %s: %s", where, name)
    kind = f"{name} at {where}"
    request.app[REPEATED].log(logging.ERROR, kind, "traceback of %s", kind, exc_info=error)


def _route_of(request: web.Request) -> str:
    """Return the route, not the path: an id in a path can be a client's own, such as a phone."""
    return route_of(request) or "an unknown path"


def envelope(
    request: web.BaseRequest, error: errors.BulklaneError, *, status: int | None = None
) -> web.Response:
    """Return the envelope of an error: the first problem, and all of them if there are several."""
    request_id = request[REQUEST_ID]
    body: dict[str, Any] = {**request.get(PROBLEM, {}), "error": _shown(error, request_id)}
    if isinstance(error, errors.NotAcceptable) and len(error.problems) > 1:
        body["errors"] = [_shown(problem, request_id) for problem in error.problems]
    status = status or STATUSES.get(type(error), 500)
    return web.json_response(
        body, status=status, headers={**request.get(ERROR_HEADERS, {}), **_headers(error)}
    )


def _headers(error: errors.BulklaneError) -> dict[str, str]:
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return headers | ({"WWW-Authenticate": "Bearer"} if isinstance(error, errors.NotAuthenticated) else {})


def _shown(error: errors.BulklaneError, request_id: str) -> dict[str, Any]:
    shown = {"type": error.type, "code": error.code, "message": error.message, "request_id": request_id}
    return shown | ({"param": error.param} if error.param else {})


def _of_aiohttp(request: web.Request, error: web.HTTPException) -> web.Response:
    """Return the envelope of an error of aiohttp: 404 and 405 of the router, others of the parser."""
    match error:
        case web.HTTPNotFound():
            message = f"there is nothing at {request.path}"
            return envelope(request, errors.NotFound(message, code="unknown_path"))
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            message = f"{request.method} is not supported at {request.path}: use {allowed}"
            response = envelope(
                request, errors.InvalidRequest(message, code="method_not_allowed"), status=405
            )
            response.headers["Allow"] = allowed
            return response
        case web.HTTPRequestEntityTooLarge():
            message = f"{request.path} takes a body of at most {request.client_max_size} bytes: send less"
            return envelope(request, errors.BodyTooLarge(message))
        case _:
            return envelope(request, errors.InvalidRequest(error.reason), status=error.status)
