"""/healthz and /readyz: whether the process runs, and whether it can serve requests."""

import asyncio
from typing import Literal

from aiohttp import web

from api.http.context import API, Api
from api.openapi.describe import Response, describe
from schemas.wire.base import Wire
from storage.breaker import LOST_REDIS
from storage.pipeline import failures
from storage.postgres.db_errors import LOST_CONNECTION
from storage.postgres.transactions import ping

PING_SECONDS = 1.8  # a client has its answer within two seconds
RETRY_SECONDS = 2


Status = Literal["ready", "degraded", "not ready"]


class Health(Wire):
    """The process responds."""

    status: Literal["ok"]


class Readiness(Wire):
    """Whether the process can serve requests, and what is missing if not.

    `degraded`: Redis does not respond. Requests are served, and jobs progress more slowly.
    """

    status: Status
    postgres: bool
    redis: bool
    migrated: bool  # the database had the schema of this release
    failing_jobs: int | None  # are repeated after an error of ours, which is in the logs; null: unknown


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
    migrated = api.schema_ready.is_set()
    failing_jobs, postgres, redis = await asyncio.gather(
        _failing_jobs(api),
        _responds(ping(ctx.pool)),
        _responds(ctx.queue.check()),
    )
    status: Status = "not ready" if not (postgres and migrated) else "ready" if redis else "degraded"
    readiness = Readiness(
        status=status, postgres=postgres, redis=redis, migrated=migrated, failing_jobs=failing_jobs
    ).model_dump()
    if status == "not ready":
        return web.json_response(readiness, status=503, headers={"Retry-After": str(RETRY_SECONDS)})
    return web.json_response(readiness)


async def _failing_jobs(api: Api) -> int | None:
    if not api.schema_ready.is_set():
        return None
    try:
        return await asyncio.wait_for(failures.delayed(api.ctx.pool), PING_SECONDS)
    except LOST_CONNECTION:
        return None


async def _responds(call: object) -> bool:
    try:
        await asyncio.wait_for(call, PING_SECONDS)  # type: ignore[arg-type]
    except (*LOST_REDIS, *LOST_CONNECTION):
        return False
    return True
