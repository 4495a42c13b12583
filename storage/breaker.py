"""A circuit breaker for Redis: while it does not respond or refuses writes, nobody waits for it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from redis.exceptions import RedisError

from schemas.metrics import REDIS_LOST
from schemas.traces import call_span

logger = logging.getLogger(__name__)

T = TypeVar("T")

LOST_REDIS = (RedisError, OSError, TimeoutError)  # Redis is down, does not respond in time, or refuses writes

CALL_SECONDS = 1.0  # the event loop may be busy with a large body
PROBE_SECONDS = 0.25  # while Redis is away: once it is back, it responds at once
PAUSE_SECONDS = 1.0  # between two probes


class Breaker:
    """Calls Redis, and stops calling it for a while after a call failed.

    While the breaker is closed, every call is made. The first failure opens it. While it is open, one caller
    a second runs `probe`, and all others get None at once. A probe that succeeds closes the breaker. The
    probe must be a write: a Redis that is read-only or out of memory still answers what only reads.
    """

    def __init__(self, probe: Callable[[], Awaitable[object]]) -> None:
        self._probe = probe
        self._open = False
        self._next_probe = 0.0  # on the clock of the loop
        self._left_behind: set[asyncio.Future[Any]] = set()

    @property
    def closed(self) -> bool:
        """Whether the last call or probe succeeded."""
        return not self._open

    @property
    def refuses(self) -> bool:
        """Whether `ask` would return None without a call or a probe."""
        return self._open and asyncio.get_running_loop().time() < self._next_probe

    async def ask(
        self, call: Callable[[], Awaitable[T]], noun: str = "redis", verb: str = "call"
    ) -> T | None:
        """Return the result of a call to Redis, or None if Redis does not respond or refuses the call.

        `noun` and `verb` are the name of its span.
        """
        if self._open and not await self._try_probe():
            REDIS_LOST.inc()
            return None
        try:
            with call_span("redis", noun, verb):
                return await self._within(CALL_SECONDS, call)
        except LOST_REDIS as error:
            REDIS_LOST.inc()
            self._fail(error)
            return None

    async def _try_probe(self) -> bool:
        """Probe Redis if it is time to, and close the breaker if it responds. Return whether it does."""
        if self.refuses:
            return False
        self._pause()  # the other callers do not wait for this probe
        try:
            await self._within(PROBE_SECONDS, self._probe)
        except LOST_REDIS as error:
            self._fail(error)
            return False
        if self._open:
            logger.info("Redis responds again")
        self._open = False
        return True

    async def _within(self, seconds: float, call: Callable[[], Awaitable[T]]) -> T:
        """Return the result of a call, or raise TimeoutError. The cancelled call is not waited for.

        When it is cancelled, redis-py can wait for the server again, in order to unwatch a key.
        """
        task = asyncio.ensure_future(call())
        try:
            await asyncio.wait({task}, timeout=seconds)
        finally:
            if not task.done():
                task.cancel()
                self._left_behind.add(task)
                task.add_done_callback(self._forget)
        if not task.done():
            raise TimeoutError(f"no answer in {seconds:g} s")
        return task.result()

    def _forget(self, task: "asyncio.Future[Any]") -> None:
        self._left_behind.discard(task)
        if not task.cancelled():
            task.exception()  # it was raised for nobody: asyncio must not log it

    def _fail(self, error: Exception) -> None:
        if not self._open:
            reason = f"{type(error).__name__}: {error}"
            logger.warning("Redis does not respond or refuses writes, continuing without it: %s", reason)
        self._open = True
        self._pause()

    def _pause(self) -> None:
        self._next_probe = asyncio.get_running_loop().time() + PAUSE_SECONDS
