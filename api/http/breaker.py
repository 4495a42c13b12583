"""A circuit breaker: while Redis is away, one request a second waits for it, and all others do not."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from storage.queue import LOST_REDIS

logger = logging.getLogger(__name__)

T = TypeVar("T")

ANSWER_SECONDS = 1.0  # the loop may be busy for a while, parsing a large body
PROBE_SECONDS = 0.25  # while it is away: one that is back answers at once
PAUSE_SECONDS = 1.0  # between two looks whether it is back


class Breaker:
    """Asks Redis, and stops asking for a while when it does not respond.

    While the breaker is closed, every question is asked. The first failure opens it. While it is open, one
    question a second is asked, to see whether Redis is back, and all others return None at once.
    """

    def __init__(self) -> None:
        self._open = False
        self._next_look = 0.0  # on the clock of the loop

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T | None:
        """The answer, or None while Redis is away."""
        clock = asyncio.get_running_loop().time
        if self._open:
            if clock() < self._next_look:
                return None
            self._next_look = clock() + PAUSE_SECONDS  # the others do not wait while this one finds out
        try:
            async with asyncio.timeout(PROBE_SECONDS if self._open else ANSWER_SECONDS):
                answer = await question()
        except LOST_REDIS as error:
            self._fail(error)
            self._next_look = clock() + PAUSE_SECONDS
            return None
        self._succeed()
        return answer

    def _fail(self, error: Exception) -> None:
        if not self._open:
            logger.warning("Redis is away, limits without it: %s: %s", type(error).__name__, error)
        self._open = True

    def _succeed(self) -> None:
        if self._open:
            logger.info("Redis is back")
        self._open = False
