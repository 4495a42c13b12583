"""Log what can occur a thousand times a second: the first occurrence at once, the others as a sum."""

import asyncio
import logging
from contextvars import Context
from typing import Any

SUM_SECONDS = 60.0


class RepeatedLog:
    """Logs the first line of each kind, counts the next ones, and logs their number every SUM_SECONDS.

    A kind that did not occur for SUM_SECONDS is logged as new when it occurs again. Must be used inside an
    event loop.
    """

    def __init__(self, logger: logging.Logger, *, every: float = SUM_SECONDS) -> None:
        self._logger = logger
        self._every = every
        self._counts: dict[str, int] = {}  # by kind: lines that were not logged since the last sum

    def log(self, level: int, kind: str, message: str, *args: object, exc_info: Any = None) -> None:
        """Log a line, or count it if a line of this kind was logged shortly before.

        There must be few kinds: a kind is a text that does not contain what varies, such as an id.
        """
        if kind in self._counts:
            self._counts[kind] += 1
            return
        self._counts[kind] = 0
        self._logger.log(level, message, *args, exc_info=exc_info)
        self._sum_later(level, kind)

    def _sum(self, level: int, kind: str) -> None:
        count = self._counts[kind]
        if not count:
            del self._counts[kind]
            return
        self._counts[kind] = 0
        self._logger.log(level, "%s: %d more times in the last %g s", kind, count, self._every)
        self._sum_later(level, kind)

    def _sum_later(self, level: int, kind: str) -> None:
        # the sum is not about the job or the request of the first line
        asyncio.get_running_loop().call_later(self._every, self._sum, level, kind, context=Context())
