"""What differs between the two clients: how to sleep, to keep a deadline, and to iterate."""

import time
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from concurrent.futures import Future
from contextvars import copy_context
from threading import TIMEOUT_MAX, Thread
from typing import Any, TypeAlias, TypeVar

from bulklane.errors import SourceError

T = TypeVar("T")
Asked: TypeAlias = Callable[[], T]


def sleep(seconds: float) -> None:
    """Sleep."""
    time.sleep(seconds)


def yield_control() -> None:
    """Do nothing: other threads run by themselves."""


def within(seconds: float, ask: Asked[T]) -> T:
    """Return what `ask` returns. Raises TimeoutError after `seconds`, wherever it waits.

    A socket's time-out starts anew with each byte, and none bounds the look-up of a name. So `ask` runs in a
    thread of its own; one that is late goes on until its own time-outs, and nobody reads its answer.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(ask())
        except BaseException as error:  # raised again in the thread that waits
            future.set_exception(error)

    context = copy_context()  # for what traces requests
    Thread(target=context.run, args=(run,), name="bulklane-request", daemon=True).start()
    return future.result(min(seconds, TIMEOUT_MAX))


def each(items: Iterable[Any] | AsyncIterable[Any]) -> Iterator[Any]:
    """Yield the items of an iterable. Raises SourceError for an asynchronous one."""
    if isinstance(items, AsyncIterable):
        raise SourceError("an asynchronous iterator was given: use AsyncBulklane")
    yield from items


class Deadline:
    """A moment that nothing may exceed."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds until then. Raises TimeoutError if it is over."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left
