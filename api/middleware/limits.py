"""Add the rate-limit headers to every response, refusals and failures included."""

from aiohttp import web
from aiohttp.typedefs import Handler

from api.http.context import LIMITS


@web.middleware
async def tell_limits(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Add the headers that `admit` left on the request."""
    response = await handler(request)
    if not response.prepared:
        response.headers.update(request.get(LIMITS, {}))
    return response
