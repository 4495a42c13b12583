"""What the operator watches: the health of the servers, what waits, and what is slow."""

import asyncio
from collections.abc import Awaitable
from dataclasses import asdict
from typing import Literal, TypeVar

from api.http.context import Api
from api.http.operator_view import failing_job_view, operator_job_view, slow_account_view
from schemas.wire.operator import (
    BellCounts,
    HealthView,
    LockView,
    PostgresView,
    QueueView,
    RedisView,
    SlowView,
    TableView,
)
from storage.operator import all_jobs, health
from storage.pipeline import failures
from storage.postgres.db_errors import LOST_CONNECTION
from storage.postgres.pool import Pool

ANSWER_SECONDS = 1.8  # the operator has an answer within two seconds, also while a server is away

T = TypeVar("T")


async def read_health(api: Api) -> HealthView:
    """Return the health of PostgreSQL and Redis, as this api process sees them."""
    ctx, migrated = api.ctx, api.schema_ready.is_set()
    postgres, tables, redis = await asyncio.gather(
        _unless_lost(health.postgres_state(ctx.pool)),
        _unless_lost(health.tables(ctx.pool)),
        _unless_lost(health.redis_state(ctx.queue)),
    )
    status: Literal["ready", "degraded", "not ready"] = "ready" if redis else "degraded"
    return HealthView(
        status=status if postgres and migrated else "not ready",
        migrated=migrated,
        failing_jobs=await _unless_lost(failures.delayed(ctx.pool)) if postgres and migrated else None,
        redis_paused=not ctx.breaker.closed,
        postgres=PostgresView(**asdict(postgres)) if postgres else None,
        tables=[TableView(**asdict(table)) for table in tables or ()],
        redis=RedisView(**asdict(redis)) if redis else None,
    )


async def read_queue(api: Api) -> QueueView:
    """Return the bells in Redis, and the queued job that was received first."""
    pool = api.ctx.pool
    bells = await health.bells(api.ctx.queue)
    oldest = await all_jobs.views(pool, await all_jobs.oldest_queued(pool, 1))
    return QueueView(
        bells=BellCounts(**asdict(bells)) if bells else None,
        oldest_waiting_job=operator_job_view(oldest[0]) if oldest else None,
    )


async def read_slow(pool: Pool) -> SlowView:
    """Return the accounts of the jobs that wait longest, failing jobs, and waits for locks."""
    return SlowView(
        accounts=[slow_account_view(row) for row in await all_jobs.waiting(pool)],
        jobs=[failing_job_view(row) for row in await all_jobs.failing(pool)],
        locks=[LockView(**asdict(lock)) for lock in await health.locks(pool)],
    )


async def _unless_lost(answer: Awaitable[T]) -> T | None:
    """Return an answer, or None if the server does not respond in time."""
    try:
        return await asyncio.wait_for(answer, ANSWER_SECONDS)
    except LOST_CONNECTION:
        return None
