"""Tasks that run beside the work of a process, and how they end."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

AGAIN_SECONDS = 0.1


@asynccontextmanager
async def beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run coroutines that never return while the body runs."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            await cancel(task)


async def cancel(task: "asyncio.Task[None]") -> None:
    """Cancel a task and wait for its end; again, for redis-py swallows a cancellation while it connects."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_SECONDS)
