"""/operator/v1/workers, queue, health and slow: what runs, what waits, and the servers."""

import asyncio
from collections.abc import Awaitable
from dataclasses import asdict
from typing import Literal, TypeVar

from aiohttp import web

from api.endpoint import endpoint
from api.http.context import API, operator_pool
from api.http.operator_view import (
    failing_job_view,
    operator_job_view,
    slow_account_view,
    worker_view,
)
from api.http.responses import shown
from schemas.wire.base import Listing
from schemas.wire.operator import (
    BellCounts,
    HealthView,
    LockView,
    PostgresView,
    QueueView,
    RedisView,
    SlowView,
    TableView,
    WorkerView,
)
from storage.operator import all_jobs, health, workers
from storage.pipeline import failures
from storage.postgres.db_errors import LOST_CONNECTION

ANSWER_SECONDS = 1.8  # the operator has an answer within two seconds, also while a server is away

T = TypeVar("T")


@endpoint(responses={200: Listing[WorkerView]})
async def list_workers(request: web.Request) -> web.Response:
    """List the worker processes with their signs of life, and the chunks that they are applying."""
    rows = await workers.list_all(operator_pool(request))
    return shown(Listing[WorkerView](data=[worker_view(row) for row in rows], next_cursor=None))


@endpoint(responses={200: QueueView})
async def get_queue(request: web.Request) -> web.Response:
    """Get the bells in Redis, and the queued job that was received first."""
    pool = operator_pool(request)
    bells = await health.bells(request.app[API].ctx.queue)
    oldest = await all_jobs.views(pool, await all_jobs.oldest_queued(pool, 1))
    return shown(
        QueueView(
            bells=BellCounts(**asdict(bells)) if bells else None,
            oldest_waiting_job=operator_job_view(oldest[0]) if oldest else None,
        )
    )


@endpoint(responses={200: HealthView})
async def get_health(request: web.Request) -> web.Response:
    """Get the health of PostgreSQL and Redis, as this api process sees them. Also while one is away."""
    api = request.app[API]
    ctx, migrated = api.ctx, api.schema_ready.is_set()
    postgres, tables, redis = await asyncio.gather(
        _unless_lost(health.postgres_state(ctx.pool)),
        _unless_lost(health.tables(ctx.pool)),
        _unless_lost(health.redis_state(ctx.queue)),
    )
    status: Literal["ready", "degraded", "not ready"] = "ready" if redis else "degraded"
    view = HealthView(
        status=status if postgres and migrated else "not ready",
        migrated=migrated,
        failing_jobs=await _unless_lost(failures.delayed(ctx.pool)) if postgres and migrated else None,
        redis_paused=not ctx.breaker.closed,
        postgres=PostgresView(**asdict(postgres)) if postgres else None,
        tables=[TableView(**asdict(table)) for table in tables or ()],
        redis=RedisView(**asdict(redis)) if redis else None,
    )
    return shown(view)


@endpoint(responses={200: SlowView})
async def get_slow(request: web.Request) -> web.Response:
    """Get the accounts of the 200 jobs that wait longest, failing jobs, and waits for locks."""
    pool = operator_pool(request)
    return shown(
        SlowView(
            accounts=[slow_account_view(row) for row in await all_jobs.waiting(pool)],
            jobs=[failing_job_view(row) for row in await all_jobs.failing(pool)],
            locks=[LockView(**asdict(lock)) for lock in await health.locks(pool)],
        )
    )


async def _unless_lost(answer: Awaitable[T]) -> T | None:
    """Return an answer, or None if the server does not respond in time."""
    try:
        return await asyncio.wait_for(answer, ANSWER_SECONDS)
    except LOST_CONNECTION:
        return None
