"""A circuit breaker: while Redis does not respond, only one request a second waits for it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from storage.queue import LOST_REDIS

logger = logging.getLogger(__name__)

T = TypeVar("T")

CALL_SECONDS = 1.0  # the event loop may be busy with a large body
PROBE_SECONDS = 0.25  # while Redis is away: once it is back, it responds at once
PAUSE_SECONDS = 1.0  # between two probes


class Breaker:
    """Calls Redis, and stops calling it for a while after it did not respond.

    While the breaker is closed, every call is made. The first failure opens it. While it is open, one call a
    second is made, to probe whether Redis is back, and all others return None at once.
    """

    def __init__(self) -> None:
        self._open = False
        self._next_probe = 0.0  # on the clock of the loop

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """Return the result of a call to Redis, or None while Redis does not respond."""
        clock = asyncio.get_running_loop().time
        if self._open:
            if clock() < self._next_probe:
                return None
            self._next_probe = clock() + PAUSE_SECONDS  # the other requests do not wait for this probe
        try:
            async with asyncio.timeout(PROBE_SECONDS if self._open else CALL_SECONDS):
                result = await call()
        except LOST_REDIS as error:
            self._fail(error)
            self._next_probe = clock() + PAUSE_SECONDS
            return None
        self._succeed()
        return result

    def _fail(self, error: Exception) -> None:
        if not self._open:
            logger.warning(
                "Redis does not respond, limits continue without it: %s: %s", type(error).__name__, error
            )
        self._open = True

    def _succeed(self) -> None:
        if self._open:
            logger.info("Redis responds again")
        self._open = False
