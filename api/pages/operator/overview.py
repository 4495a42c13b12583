"""The first page of the operator: what waits, who works, and the servers."""

from aiohttp import web

from api.actions.operator.operator_reports import read_health, read_queue, read_slow
from api.html.render import OPERATOR, page
from api.http.context import API
from api.http.operator_view import worker_view
from api.openapi.describe import describe
from storage.operator import workers

REFRESH_SECONDS = 3


@describe(hidden=True)
async def overview(request: web.Request) -> web.Response:
    """Show the state of the service. While PostgreSQL is away, only the health of the servers."""
    api = request.app[API]
    health = await read_health(api)
    there = health.postgres is not None and health.migrated
    return page(
        request,
        "operator/overview.html",
        frame=OPERATOR,
        refresh=REFRESH_SECONDS,
        health=health,
        queue=await read_queue(api) if there else None,
        slow=await read_slow(api.ctx.pool) if there else None,
        workers=[worker_view(row) for row in await workers.list_all(api.ctx.pool)] if there else [],
    )
