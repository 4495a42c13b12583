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

PING_SECONDS = 1.8  # a client has its answer within two seconds


class Health(Wire):
    """The process responds."""

    status: Literal["ok"]


class Readiness(Wire):
    """Whether the process can serve requests, and what is missing if not.

    `degraded`: Redis does not respond. Requests are served, and jobs progress more slowly.
    """

    status: Literal["ready", "degraded", "not ready"]
    postgres: bool
    redis: bool
    migrated: bool  # the database had the schema of this release


@describe(responses={200: Health})
async def healthz(request: web.Request) -> web.Response:
    """Check that the process responds."""
    del request
    return web.json_response({"status": "ok"})


@describe(
    responses={
        200: Readiness,
        503: Response(model=Readiness, text="PostgreSQL does not respond, or is not migrated."),
    }
)
async def readyz(request: web.Request) -> web.Response:
    """Check that PostgreSQL and Redis respond; 503 if PostgreSQL does not, or is not migrated."""
    api = request.app[API]
    ctx = api.ctx
    postgres, redis = await asyncio.gather(_responds(ping(ctx.pool)), _responds(ctx.queue.check()))
    migrated = api.schema_ready.is_set()
    status = "not ready" if not (postgres and migrated) else "ready" if redis else "degraded"
    return web.json_response(
        {"status": status, "postgres": postgres, "redis": redis, "migrated": migrated},
        status=503 if status == "not ready" else 200,
    )


async def _responds(call: object) -> bool:
    try:
        await asyncio.wait_for(call, PING_SECONDS)  # type: ignore[arg-type]
    except (*LOST_REDIS, *LOST_CONNECTION):
        return False
    return True
