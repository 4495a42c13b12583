"""Bells: arq jobs that carry ids and announce possible work. A lost bell only costs latency."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from arq.connections import ArqRedis, RedisSettings
from redis.asyncio.connection import ConnectionPool, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from schemas.ids import AccountId, JobId
from storage.breaker import Breaker

ENDED = "bulklane:ended"  # pub/sub channel: the ids of jobs that ended
SOCKET_SECONDS = 5.0  # a half-open connection must not block for ever
CHECK_KEY = "bulklane:check"
CHECK_MILLISECONDS = 10_000  # after this time the key of the check is gone


def serialize(job: dict[str, Any]) -> bytes:
    """Return an arq job as JSON. Not as a pickle: unpickling data from a shared Redis can run code."""
    return json.dumps(job, default=str).encode()


def deserialize(data: bytes) -> dict[str, Any]:
    """Return the arq job that `serialize` wrote."""
    job: dict[str, Any] = json.loads(data)
    return job


def connect(redis_url: str, *, queue_name: str) -> ArqRedis:
    """Return a client with time-outs, keepalive and health checks. It connects on first use."""
    pool = ConnectionPool.from_url(
        redis_url,
        socket_timeout=SOCKET_SECONDS,
        socket_connect_timeout=SOCKET_SECONDS,
        health_check_interval=10,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=2),
        **({} if redis_url.startswith("unix:") else {"socket_keepalive": True}),
    )
    return ArqRedis(
        connection_pool=pool,
        job_serializer=serialize,
        job_deserializer=deserialize,
        default_queue_name=queue_name,
    )


def arq_settings(redis_url: str) -> RedisSettings:
    """Return the address as `arq --check` needs it.

    arq's own from_dsn does not decode a percent-encoded path.
    """
    parts = parse_url(redis_url)
    path = parts.get("path")
    return RedisSettings(
        host=parts.get("host", "localhost"),
        port=parts.get("port", 6379),
        unix_socket_path=path,
        database=parts.get("db", 0),
        username=parts.get("username"),
        password=parts.get("password"),
        ssl=redis_url.startswith("rediss:"),
    )


class Queue:
    """Rings bells. A failure is not raised, because the reconciler rings again.

    `breaker` guards all calls of the process to Redis. While it is open, no bell is rung and nobody waits.
    """

    def __init__(self, redis: ArqRedis) -> None:
        self.redis = redis
        self.breaker = Breaker(self.check)

    async def ring_work(self, times: int = 1, *, after_seconds: float = 0) -> None:
        """Announce that there may be chunks to claim, for `times` parallel turns."""
        for _ in range(times):
            await self._ring("work", after_seconds=after_seconds)

    async def ring_split(self, account_id: AccountId, job_id: JobId) -> None:
        """Announce that a job may have parts to split."""
        await self._ring("split", account_id, str(job_id))

    async def ring_finish(self, account_id: AccountId, job_id: JobId) -> None:
        """Announce that a job may be ready to finish."""
        await self._ring("finish", account_id, str(job_id))

    async def ring_dry_run(self) -> None:
        """Announce that a dry run may be ready to start."""
        await self._ring("dry_run")

    async def announce_end(self, job_id: JobId) -> None:
        """Announce to the api processes that a job has ended, so that requests that wait for it continue."""
        await self.breaker.ask(lambda: self.redis.publish(ENDED, str(job_id)))

    async def ended_jobs(self) -> AsyncIterator[JobId | None]:
        """Yield the id of each job whose end is announced. Raises an error of `breaker.LOST_REDIS`.

        The first value is None: from then on no announcement is missed.
        """
        async with self.redis.pubsub() as pubsub:
            await pubsub.subscribe(ENDED)
            yield None
            while True:
                # shorter than the socket's time-out: redis-py then checks the health of a silent connection
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=2.0)
                if message is not None:
                    yield JobId(UUID(message["data"].decode()))

    async def check(self) -> None:
        """Check that Redis responds and accepts writes. Raises an error of `breaker.LOST_REDIS`."""
        await self.redis.set(CHECK_KEY, "", px=CHECK_MILLISECONDS)

    async def length(self) -> int:
        """Return the number of bells, including those that a worker is serving."""
        return int(await self.redis.zcard(self.redis.default_queue_name))

    async def _ring(self, name: str, *args: object, after_seconds: float = 0) -> None:
        # No job id is passed, so arq makes a new one: the in-progress key of a dead worker would block a
        # reused id. The return value is ignored: None can mean a swallowed WatchError as well as an existing
        # job.
        await self.breaker.ask(
            lambda: self.redis.enqueue_job(
                name, *args, _defer_by=after_seconds or None, _expires=3600 + after_seconds
            )
        )
