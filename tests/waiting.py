"""Wait for a condition that gives no event: check it again and again until a deadline.

The pause grows, because a check can take longer than the first pauses: a query, or the start of a process.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic, sleep
from typing import TypeVar

CHECK_SECONDS = 0.01
LONGEST_SECONDS = 0.1

T = TypeVar("T")


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 10) -> None:
    """Return when the condition is true; raise TimeoutError after `seconds`."""
    pause = CHECK_SECONDS
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(pause)
            pause = _longer(pause)


def wait_for(condition: Callable[[], T | None], *, seconds: float) -> T:
    """Return the first true value of the condition; raise AssertionError after `seconds`."""
    pause, deadline = CHECK_SECONDS, monotonic() + seconds
    while not (value := condition()):
        assert monotonic() < deadline, f"still not true after {seconds:g} seconds"
        sleep(pause)
        pause = _longer(pause)
    return value


def _longer(pause: float) -> float:
    return min(1.25 * pause, LONGEST_SECONDS)
