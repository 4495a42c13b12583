"""Repeated lines: the first is logged at once, the next ones as a sum, and a quiet kind is new again."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from storage.repeated_log import RepeatedLog

logger = logging.getLogger(__name__)


class Lines(logging.Handler):
    """Puts each line into a queue, for which a test can wait."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: asyncio.Queue[str] = asyncio.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self.queue.put_nowait(record.getMessage())

    async def next(self) -> str:
        """Return the next line."""
        async with asyncio.timeout(10):
            return await self.queue.get()


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Catch the lines of the logger of this module."""
    handler = Lines()
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


async def test_a_thousand_equal_errors_are_two_lines(lines: Lines) -> None:
    repeated = RepeatedLog(logger, every=0.01)
    for number in range(1_000):
        repeated.log(logging.WARNING, "away", "PostgreSQL is away: error %d", number)
    assert await lines.next() == "PostgreSQL is away: error 0"
    assert await lines.next() == "away: 999 more times in the last 0.01 s"
    assert lines.queue.empty()


async def test_each_kind_has_its_own_first_line(lines: Lines) -> None:
    repeated = RepeatedLog(logger)
    for kind in ("away", "busy", "away", "busy"):
        repeated.log(logging.WARNING, kind, "first of %s", kind)
    assert [await lines.next(), await lines.next()] == ["first of away", "first of busy"]
    assert lines.queue.empty()


async def test_a_kind_that_was_quiet_is_logged_as_new(lines: Lines) -> None:
    repeated = RepeatedLog(logger, every=0.001)
    repeated.log(logging.WARNING, "away", "first")
    await asyncio.sleep(0.1)  # longer than `every`: how much longer does not matter
    repeated.log(logging.WARNING, "away", "second")
    assert [await lines.next(), await lines.next()] == ["first", "second"]
