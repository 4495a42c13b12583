"""The one shape of every incremental step: bytes in with `feed`, the rest out with `flush`."""

from collections.abc import Iterable, Iterator
from typing import Protocol


class Pipe(Protocol):
    """A content decoder, a transcoder, a cutter, or several of them in a row.

    Both methods answer lazily: the step has taken its input only once its answer is exhausted.
    After an exception, or after `flush`, a pipe is spent.
    """

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take some bytes, of any length; give what is ready."""
        ...

    def flush(self) -> Iterator[bytes]:
        """The input has ended: give the rest, or raise if it ends too early."""
        ...


class Pipeline:
    """Several pipes in a row, as one pipe; at no time is more than one piece under way."""

    def __init__(self, *pipes: Pipe) -> None:
        self._pipes = pipes

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Send some bytes through all pipes."""
        return _through(self._pipes, [data])

    def flush(self) -> Iterator[bytes]:
        """Flush pipe after pipe, each into the ones behind it."""
        for position, pipe in enumerate(self._pipes, start=1):
            yield from _through(self._pipes[position:], pipe.flush())


def _through(pipes: Iterable[Pipe], pieces: Iterable[bytes]) -> Iterator[bytes]:
    for pipe in pipes:
        pieces = _feed_all(pipe, pieces)
    yield from pieces


def _feed_all(pipe: Pipe, pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield from pipe.feed(piece)
