"""Wait for a condition that gives no event: check it every few milliseconds until a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic, sleep
from typing import TypeVar

CHECK_SECONDS = 0.01

T = TypeVar("T")


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 10) -> None:
    """Return when the condition is true; raise TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - a row or a set has no event
            await asyncio.sleep(CHECK_SECONDS)


def wait_for(condition: Callable[[], T | None], *, seconds: float) -> T:
    """Return the first true value of the condition; raise AssertionError after `seconds`."""
    deadline = monotonic() + seconds
    while not (value := condition()):
        assert monotonic() < deadline, f"still not true after {seconds:g} seconds"
        sleep(CHECK_SECONDS)
    return value
