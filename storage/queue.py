"""Doorbells: arq jobs that carry ids and say 'there may be work'. Losing one costs latency, nothing else."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from arq.connections import ArqRedis, RedisSettings
from redis.asyncio.connection import ConnectionPool, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from schemas.ids import AccountId, JobId

logger = logging.getLogger(__name__)

LOST_REDIS = (RedisError, OSError, TimeoutError)  # Redis is away, or does not answer in time

ENDED = "bulklane:ended"  # pub/sub channel: the ids of jobs that ended
SOCKET_SECONDS = 5.0  # a half-open link must not hang for ever


def serialize(job: dict[str, Any]) -> bytes:
    """arq's job as JSON: ids need no pickle, and a pickle from a shared Redis is code."""
    return json.dumps(job, default=str).encode()


def deserialize(data: bytes) -> dict[str, Any]:
    """The inverse of `serialize`."""
    job: dict[str, Any] = json.loads(data)
    return job


def connect(redis_url: str, *, queue_name: str) -> ArqRedis:
    """A client with time-outs, keepalive and health checks; it connects when it is first used."""
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
    """The address as `arq --check` needs it; arq's own from_dsn does not decode a percent-encoded path."""
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
    """Rings doorbells; a bell that cannot be rung is logged, because the reconciler rings again."""

    def __init__(self, redis: ArqRedis) -> None:
        self.redis = redis

    async def ring_work(self, times: int = 1, *, after_seconds: float = 0) -> None:
        """There may be chunks to claim, for `times` turns at once."""
        for _ in range(times):
            await self._ring("work", after_seconds=after_seconds)

    async def ring_split(self, account_id: AccountId, job_id: JobId) -> None:
        """A job may have parts to split."""
        await self._ring("split", account_id, str(job_id))

    async def ring_finish(self, account_id: AccountId, job_id: JobId) -> None:
        """A job may have to be finished."""
        await self._ring("finish", account_id, str(job_id))

    async def ring_dry_run(self) -> None:
        """There may be a dry run to start."""
        await self._ring("dry_run")

    async def announce_end(self, job_id: JobId) -> None:
        """Tell the apis that a job has ended, so that its waiting requests go on."""
        await self._try(self.redis.publish(ENDED, str(job_id)), "announce_end")

    async def ended_jobs(self) -> AsyncIterator[JobId | None]:
        """Yield the id of each job whose end is announced, for ever; raises an error of LOST_REDIS.

        The first one is None: from then on no announcement is missed.
        """
        async with self.redis.pubsub() as pubsub:
            await pubsub.subscribe(ENDED)
            yield None
            while True:
                # a time-out short of the socket's lets redis-py check the health of a silent connection
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=2.0)
                if message is not None:
                    yield JobId(UUID(message["data"].decode()))

    async def ping(self) -> None:
        """Ask Redis for an answer; raises an error of LOST_REDIS."""
        await self.redis.ping()

    async def length(self) -> int:
        """How many doorbells there are, including those that a worker is serving."""
        return int(await self.redis.zcard(self.redis.default_queue_name))

    async def _ring(self, name: str, *args: object, after_seconds: float = 0) -> None:
        # arq gives each job a fresh id: the in-progress key of a dead worker would block a reused one.
        # Its return value is not read: None can mean a swallowed WatchError as well as an existing job.
        bell = self.redis.enqueue_job(
            name, *args, _defer_by=after_seconds or None, _expires=3600 + after_seconds
        )
        await self._try(bell, name)

    async def _try(self, call: Any, name: str) -> None:
        try:
            await asyncio.wait_for(call, SOCKET_SECONDS)
        except LOST_REDIS as error:
            logger.warning("doorbell %s not rung: %s", name, error)
