"""Give each request an id, which is in the response, in every log line and on the job."""

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from api.http.context import REQUEST_ID
from schemas.ids import new_request_id


@web.middleware
async def name_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request a new id. An id from the client is not used: another request might have it."""
    request[REQUEST_ID] = new_request_id()
    # the account is known later: see `authenticate`; the next request of the connection begins without one
    with structlog.contextvars.bound_contextvars(request_id=request[REQUEST_ID], account=None):
        response = await handler(request)
    if not response.prepared:
        response.headers["X-Request-Id"] = request[REQUEST_ID]
    return response
