"""Tasks that run beside the work of a process: how they repeat, and how they end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, NoReturn

from redis.exceptions import RedisError

from storage.postgres.db_errors import blames_work

logger = logging.getLogger(__name__)

CANCEL_AGAIN_SECONDS = 0.1
STEADY_SECONDS = 30.0  # work that fails after so long has worked meanwhile


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
        await asyncio.wait({task}, timeout=CANCEL_AGAIN_SECONDS)


async def repeat(
    every: float,
    work: Callable[[], Awaitable[object]],
    *,
    what: str,
    pause_first: bool = False,
    bell: asyncio.Event | None = None,
) -> NoReturn:
    """Run `work` again and again, `every` seconds after its end, until cancelled.

    `bell`: setting it ends the pause. No error ends the loop. An error is logged once while it repeats, and
    so is the success after it; `what` names the work there. Work that goes on until an error, like a
    subscription, never succeeds: after STEADY_SECONDS its error is logged again.
    """
    clock = asyncio.get_running_loop().time
    told = ""
    while True:
        if pause_first:
            await _pause(every, bell)
        pause_first = True
        if bell is not None:
            bell.clear()
        started = clock()
        try:
            await work()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            if reason != told or clock() - started > STEADY_SECONDS:
                unexpected = blames_work(error) and not isinstance(error, RedisError)
                logger.warning("%s failed, retrying every %g s: %s", what, every, reason, exc_info=unexpected)
            told = reason
        else:
            if told:
                logger.info("%s works again", what)
            told = ""


async def _pause(seconds: float, bell: asyncio.Event | None) -> None:
    if bell is None:
        await asyncio.sleep(seconds)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):  # wait_for may lose a cancellation, until Python 3.12
            await bell.wait()
