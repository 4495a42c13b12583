"""Background tasks of a process: start, repeat, cancel."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, NoReturn

from storage.postgres.db_errors import is_ours
from storage.repeated_log import RepeatedLog

logger = logging.getLogger(__name__)

CANCEL_AGAIN_SECONDS = 0.1


@asynccontextmanager
async def beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run coroutines that never return while the body runs, and cancel them afterwards."""
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    try:
        yield
    finally:
        for task in tasks:
            await cancel(task)


async def cancel(task: "asyncio.Task[Any]") -> None:
    """Cancel a task and wait until it ends.

    The cancellation repeats, because redis-py swallows one that arrives while it connects.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_AGAIN_SECONDS)


async def repeat(
    every: float,
    work: Callable[[], Awaitable[object]],
    *,
    what: str,
    pause_first: bool = False,
    bell: asyncio.Event | None = None,
) -> NoReturn:
    """Run `work` repeatedly, with a pause of `every` seconds after each run, until cancelled.

    `what` names the work in the log. `pause_first` starts with a pause. Setting `bell` ends the pause. An
    error does not end the loop: it is logged when it first occurs, and so is the next success. What repeats
    is counted.
    """
    repeated = RepeatedLog(logger)
    failing = False
    while True:
        if pause_first:
            await _pause(every, bell)
        pause_first = True
        if bell is not None:
            bell.clear()
        try:
            await work()
        except Exception as error:
            failing = True
            kind = f"{what} failed with {type(error).__name__}"
            text = "%s, retrying every %g s: %s"
            repeated.log(logging.WARNING, kind, text, kind, every, error, exc_info=is_ours(error))
        else:
            if failing:
                kind = f"{what} works again"
                repeated.log(logging.INFO, kind, "%s", kind)
            failing = False


async def _pause(seconds: float, bell: asyncio.Event | None) -> None:
    if bell is None:
        await asyncio.sleep(seconds)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):  # wait_for can lose a cancellation before Python 3.12
            await bell.wait()
