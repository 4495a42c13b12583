"""Answer every error in the one envelope; HTTP statuses belong to this table alone."""

import logging
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from api.http.context import REFUSAL_STATUS, REQUEST_ID, STREAMING
from schemas import errors
from schemas.errors import UploadCut
from storage.postgres.db_errors import BUSY, LOST_CONNECTION

logger = logging.getLogger(__name__)

STATUSES: dict[type[errors.BulklaneError], int] = {
    errors.MalformedBody: 400,
    UploadCut: 400,
    errors.NotAuthenticated: 401,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.BodyTooLarge: 413,
    errors.UnsupportedFormat: 415,
    errors.NotAcceptable: 422,
    errors.RateLimited: 429,
    errors.Unavailable: 503,
}


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever was raised into an answer; what nobody expected is logged, and told as a 500."""
    try:
        return await handler(request)
    except Exception as error:
        if request.get(STREAMING):  # all that is left is to cut the stream, so that it looks unfinished
            logger.warning("answer cut at %s: %s: %s", request.path, type(error).__name__, error)
            raise ConnectionResetError("the answer was cut") from error
        return _answer(request, error)


def _answer(request: web.Request, error: Exception) -> web.Response:
    match error:
        case errors.NotAcceptable():
            return envelope(request, error, status=request.get(REFUSAL_STATUS))
        case errors.BulklaneError():
            return envelope(request, error)
        case web.HTTPException():
            return _of_aiohttp(request, error)
        case _ if isinstance(error, LOST_CONNECTION):
            logger.warning("PostgreSQL is away: %s: %s", type(error).__name__, error)
            return envelope(request, errors.Unavailable("the database is away: send the request again"))
        case _ if isinstance(error, BUSY):
            logger.warning("busy at %s %s: %s", request.method, request.path, error)
            message = "what this would change is in use for long, by a large job or a dry run: send it again"
            return envelope(request, errors.Unavailable(message))
        case _:
            logger.error("unexpected error at %s %s", request.method, request.path, exc_info=error)
            message = "an error of ours, which has been logged: send the request_id with a report"
            return envelope(request, errors.BulklaneError(message))


def envelope(request: web.Request, error: errors.BulklaneError, *, status: int | None = None) -> web.Response:
    """The envelope of section 1 of the contract; all problems are beside the first one."""
    request_id = request[REQUEST_ID]
    body: dict[str, Any] = {"error": _shown(error, request_id)}
    if isinstance(error, errors.NotAcceptable) and len(error.problems) > 1:
        body["errors"] = [_shown(problem, request_id) for problem in error.problems]
    status = status or STATUSES.get(type(error), 500)
    return web.json_response(body, status=status, headers=_headers(error))


def _headers(error: errors.BulklaneError) -> dict[str, str]:
    match error:
        case errors.RateLimited() | errors.Unavailable():
            return {"Retry-After": str(error.retry_after)}
        case errors.NotAuthenticated():
            return {"WWW-Authenticate": "Bearer"}
        case _:
            return {}


def _shown(error: errors.BulklaneError, request_id: str) -> dict[str, Any]:
    shown = {"type": error.type, "code": error.code, "message": error.message, "request_id": request_id}
    return shown | ({"param": error.param} if error.param else {})


def _of_aiohttp(request: web.Request, error: web.HTTPException) -> web.Response:
    """404 and 405 of the router, 413 and the like of the parser."""
    match error:
        case web.HTTPNotFound():
            message = f"there is nothing at {request.path}"
            return envelope(request, errors.NotFound(message, code="unknown_path"))
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            message = f"{request.method} is not possible at {request.path}; {allowed} is"
            answer = envelope(request, errors.InvalidRequest(message, code="method_not_allowed"), status=405)
            answer.headers["Allow"] = allowed
            return answer
        case _:
            return envelope(request, errors.InvalidRequest(error.reason), status=error.status)
