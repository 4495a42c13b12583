"""Wait for what no signal tells: a look every few milliseconds, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable

LOOK_SECONDS = 0.01


async def until(look: Callable[[], Awaitable[object]], *, seconds: float = 10) -> None:
    """Until `look` answers something true; raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await look():  # noqa: ASYNC110 -- a row or a set that has no event to wait for
            await asyncio.sleep(LOOK_SECONDS)
