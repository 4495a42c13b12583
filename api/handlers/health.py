"""/healthz and /readyz: whether the process runs, and whether it can serve requests."""

import asyncio
from typing import Literal

from aiohttp import web

from api.http.context import API
from api.openapi.describe import Response, describe
from schemas.wire.base import Wire
from storage.breaker import LOST_REDIS
from storage.postgres.db_errors import LOST_CONNECTION
from storage.postgres.transactions import ping

PING_SECONDS = 2.0


class Health(Wire):
    """The process responds."""

    status: Literal["ok"]


class Readiness(Wire):
    """Whether the process can serve requests, and which server does not respond if not."""

    status: Literal["ready", "not ready"]
    postgres: bool
    redis: bool


@describe(responses={200: Health})
async def healthz(request: web.Request) -> web.Response:
    """Check that the process responds."""
    del request
    return web.json_response({"status": "ok"})


@describe(
    responses={200: Readiness, 503: Response(model=Readiness, text="PostgreSQL or Redis does not respond.")}
)
async def readyz(request: web.Request) -> web.Response:
    """Check that PostgreSQL and Redis respond; 503 if one of them does not."""
    ctx = request.app[API].ctx
    postgres, redis = await asyncio.gather(_responds(ping(ctx.pool)), _responds(ctx.queue.check()))
    ready = postgres and redis
    return web.json_response(
        {"status": "ready" if ready else "not ready", "postgres": postgres, "redis": redis},
        status=200 if ready else 503,
    )


async def _responds(call: object) -> bool:
    try:
        await asyncio.wait_for(call, PING_SECONDS)  # type: ignore[arg-type]
    except (*LOST_REDIS, *LOST_CONNECTION):
        return False
    return True
