"""Bells: arq jobs that carry ids and announce possible work. A lost bell only costs latency."""

import json
import math
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from secrets import token_hex
from typing import Any, cast

from arq.connections import ArqRedis, RedisSettings
from arq.jobs import serialize_job
from redis.asyncio.connection import ConnectionPool, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.commands.core import AsyncScript

from schemas.ids import AccountId, JobId
from storage.breaker import Breaker

SOCKET_SECONDS = 5.0  # a half-open connection must not block for ever
CHECK_KEY = "bulklane:check"
CHECK_MILLISECONDS = 10_000  # after this time the key of the check is gone

WORK = "work:"  # the ids of bells for work begin so
WORK_BELLS = 16  # maximum of bells for work that wait, however much work there is
LATER_STEPS = (100, 50, 25, 10)  # milliseconds between bells for later moments: see `later`
BELL_SECONDS = 3600  # after this time a bell that nobody has served is gone
# A worker that has begun to serve a bell says so within this time, or it has died, or has lost the reply that
# gave it the bell. With the next round of the reconciler, this is well below the 10 s that promise P6 allows.
PATIENCE_SECONDS = 5.0


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Bells to serve: their ids and times (ms since 1970). `waits`: another bell waits for a slot."""

    bells: list[tuple[str, int]]
    waits: bool


class Queue:
    """Rings bells. A failure is not raised, because the reconciler rings again.

    A bell that waits already is not rung again, so the number of bells does not grow with the work.
    `breaker` guards all calls of the process to Redis. While it is open, no bell is rung and nobody waits.
    """

    def __init__(self, redis: ArqRedis) -> None:
        self.redis = redis
        self.breaker = Breaker(self.check)
        name = redis.default_queue_name
        self._keys = [name, f"{name}:waiting", f"{name}:wake"]
        self._ring_bells = self._script("ring_bells.lua")
        self._take_bells = self._script("take_bells.lua")

    async def ring_work(self, times: int = 1, *, after_seconds: float = 0) -> None:
        """Announce that there may be chunks to claim, for `times` parallel turns."""
        if after_seconds:
            at = later(time.time(), after_seconds)
            await self._ring("work", [f"{WORK}at:{at}"], at=at)
        else:
            await self._ring("work", [f"{WORK}{slot}" for slot in range(WORK_BELLS)], times=times)

    async def ring_split(self, account_id: AccountId, job_id: JobId) -> None:
        """Announce that a job may have parts to split."""
        await self._ring("split", [f"split:{job_id}"], account_id, str(job_id))

    async def ring_finish(self, account_id: AccountId, job_id: JobId) -> None:
        """Announce that a job may be ready to finish."""
        await self._ring("finish", [f"finish:{job_id}"], account_id, str(job_id))

    async def ring_dry_run(self) -> None:
        """Announce that a dry run may be ready to start."""
        await self._ring("dry_run", ["dry_run"])

    async def ring_webhooks(self) -> None:
        """Announce that deliveries to webhooks may wait."""
        await self._ring("webhooks", ["webhooks"])

    async def take_bells(self, *, most: int, turns: int, read: int, seconds: float) -> Taken:
        """Take up to `most` bells to serve, up to `turns` of them for work, of the first `read` of the queue.

        They are marked for `seconds` as arq marks its jobs in progress, so no other worker takes them. Raises
        an error of `breaker.LOST_REDIS`.
        """
        now, life = int(time.time() * 1000), int(seconds * 1000)
        waits, *taken = await self._take_bells(keys=self._keys[:1], args=[now, read, most, turns, WORK, life])
        bells = [(bell.decode(), int(float(at))) for bell, at in zip(taken[::2], taken[1::2], strict=True)]
        return Taken(bells=bells, waits=bool(waits))

    async def hear(self, bell: str) -> None:
        """Allow a bell to be rung again. Call it before the last look for the work that it announces.

        `bell` is the id of its arq job. A bell that is rung from now on is a new one.
        """
        field = bell.rsplit(":", 2)[0]
        await self.breaker.ask(lambda: cast(Awaitable[int], self.redis.hdel(self._keys[1], field)))

    async def wait_for_ring(self, seconds: float) -> bool:
        """Wait until a bell is rung, at most `seconds`. Return whether one was. One ring wakes one worker.

        Raises an error of `breaker.LOST_REDIS`.
        """
        wait = cast(Awaitable[object], self.redis.blpop([self._keys[2]], timeout=cast(int, seconds)))
        return await wait is not None

    async def pass_ring_on(self) -> None:
        """Wake another worker, because the one that was woken has no free slot.

        Raises an error of `breaker.LOST_REDIS`.
        """
        await cast(Awaitable[int], self.redis.rpush(self._keys[2], ""))

    async def next_bell(self, after: float) -> float:
        """Return the time of the first bell after a moment, in seconds since 1970; infinity: none.

        Raises an error of `breaker.LOST_REDIS`.
        """
        found = await self.redis.zrangebyscore(
            self._keys[0], f"({after * 1000:.0f}", "+inf", start=0, num=1, withscores=True
        )
        return found[0][1] / 1000 if found else float("inf")

    async def check(self) -> None:
        """Check that Redis responds and accepts writes. Raises an error of `breaker.LOST_REDIS`."""
        await self.redis.set(CHECK_KEY, "", px=CHECK_MILLISECONDS)

    async def length(self) -> int:
        """Return the number of bells, including those that a worker is serving."""
        return int(await self.redis.zcard(self.redis.default_queue_name))

    async def counts(self) -> tuple[int, int, int]:
        """Return the number of bells: as `length`, whose time has come, that wait for a worker.

        Raises an error of `breaker.LOST_REDIS`.
        """
        pipeline = self.redis.pipeline(transaction=False)
        pipeline.zcard(self._keys[0])
        pipeline.zcount(self._keys[0], "-inf", time.time() * 1000)
        pipeline.hlen(self._keys[1])
        queued, due, waiting = await pipeline.execute()
        return queued, due, waiting

    def _script(self, name: str) -> AsyncScript:
        return self.redis.register_script(files("storage").joinpath(name).read_bytes())

    async def _ring(
        self, task: str, fields: Sequence[str], *args: object, times: int = 1, at: int | None = None
    ) -> None:
        """Ring up to `times` of the bells that these fields name and that do not wait."""
        now = int(time.time() * 1000)
        job = serialize_job(task, args, {}, None, now, serializer=serialize)
        score = now if at is None else at
        life, patience = BELL_SECONDS * 1000 + max(0, score - now), int(PATIENCE_SECONDS * 1000)
        arguments: list[str | int | bytes | float] = [
            now,
            score,
            life,
            patience,
            WORK_BELLS,
            token_hex(4),
            job,
            times,
            *fields,
        ]
        await self.breaker.ask(lambda: self._ring_bells(keys=self._keys, args=arguments), "bells", "ring")


def later(now: float, after_seconds: float) -> int:
    """Return the time of the bell for a moment to wait for, in milliseconds since 1970.

    It is rounded up to a step, so that many accounts that wait share few bells. The step is short, because
    an account whose bell is late leaves its window unused for so long: at most a hundredth of the wait, or
    10 ms if the wait is shorter than a second.
    """
    wait = after_seconds * 1000
    step = next((step for step in LATER_STEPS if step * 100 <= wait), LATER_STEPS[-1])
    return math.ceil((now * 1000 + wait) / step) * step
