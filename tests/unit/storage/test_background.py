"""Repeated work: an error does not end it, and a series of errors is logged once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from storage import background
from storage.background import beside, repeat

EVERY = 0.001


async def test_a_series_of_errors_and_the_success_after_it_are_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fails = [ConnectionError("away")] * 3
    assert await _logged(caplog, 5, lambda: _fail_first(fails)) == ["failed", "works again"]


async def test_work_that_fails_every_other_time_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    fails = [False, True] * 10

    async def flap() -> None:
        if fails.pop():
            raise ConnectionError("away")

    assert await _logged(caplog, 20, flap) == ["failed", "works again"]


async def _fail_first(errors: list[ConnectionError]) -> None:
    if errors:
        raise errors.pop()


async def _logged(
    caplog: pytest.LogCaptureFixture, rounds: int, work: Callable[[], Awaitable[None]]
) -> list[str]:
    """Return the words that are logged in the first `rounds` runs of the work."""
    caplog.set_level("INFO", logger=background.__name__)
    done = asyncio.Event()
    begun = 0

    async def count() -> None:
        nonlocal begun
        begun += 1
        if begun == rounds:
            done.set()
        await work()

    async with beside(repeat(EVERY, count, what="work")), asyncio.timeout(10):
        await done.wait()
    words = ("failed", "works again")
    return [word for message in caplog.messages for word in words if word in message]
