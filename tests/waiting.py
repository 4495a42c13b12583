"""Waits for what no event tells: a look every few milliseconds until a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic, sleep
from typing import TypeVar

LOOK_SECONDS = 0.01

T = TypeVar("T")


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 10) -> None:
    """Return as soon as the condition holds; raises TimeoutError at the deadline."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - a row or a set has no event
            await asyncio.sleep(LOOK_SECONDS)


def wait_for(condition: Callable[[], T | None], *, seconds: float) -> T:
    """Return what the condition returns, as soon as it is true; raises AssertionError at the deadline."""
    deadline = monotonic() + seconds
    while not (found := condition()):
        assert monotonic() < deadline, f"still not true after {seconds:g} seconds"
        sleep(LOOK_SECONDS)
    return found
