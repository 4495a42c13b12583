"""The limits of the account as gauges, and what waits for them."""

from aiohttp import web

from api.html.render import page
from api.http.context import ACCOUNT, API
from api.http.views.limits_view import read_limits
from api.openapi.describe import describe

REFRESH_SECONDS = 2  # a window empties without an event


@describe(hidden=True)
async def show_limits(request: web.Request) -> web.Response:
    """Show how much of each window is used, what is queued, and when it will be done."""
    limits = await read_limits(request.app[API].ctx, request[ACCOUNT])
    return page(request, "limits.html", refresh=REFRESH_SECONDS, limits=limits)
