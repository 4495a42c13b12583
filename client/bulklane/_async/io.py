"""What differs between the two clients: how to sleep, to keep a deadline, and to iterate."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from time import monotonic
from typing import Any, TypeAlias, TypeVar

import anyio
import anyio.lowlevel

T = TypeVar("T")
Asked: TypeAlias = Callable[[], Awaitable[T]]


async def sleep(seconds: float) -> None:
    """Sleep."""
    await anyio.sleep(seconds)


async def yield_control() -> None:
    """Let other tasks run: a source that never waits would hold them up, because sockets have buffers."""
    await anyio.lowlevel.checkpoint()


async def within(seconds: float, ask: Asked[T]) -> T:
    """Return what `ask` returns. Raises TimeoutError after `seconds`, wherever it waits."""
    with anyio.fail_after(seconds):
        return await ask()


async def each(items: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[Any]:
    """Yield the items of an iterable of either kind."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


class Deadline:
    """A moment that nothing may exceed."""

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    def left(self) -> float:
        """Return the seconds until then. Raises TimeoutError if it is over."""
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError
        return left
