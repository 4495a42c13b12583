"""Clients that follow events. An event is written to all of them at once, and waits for none.

A follower has its connection for itself: a request of aiohttp that waits would take 20 KB of memory, a
follower takes 4.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from schemas.ids import JobId
from storage.access.api_keys import KeyId
from storage.pipeline.changes import Cursor

HEARTBEAT = b":\n\n"


@dataclass(frozen=True, slots=True)
class Event:
    """A job after a change, as text for all streams; the cursor covers this and all events before."""

    job_id: JobId
    ended: bool
    receiving: bool
    cursor: Cursor
    text: bytes


class Piece:
    """Events that are written at once."""

    __slots__ = ("chunk", "last", "text")

    def __init__(self, events: Sequence[Event]) -> None:
        self.last = events[-1]
        self.text = b"".join(event.text for event in events)
        self.chunk = framed(self.text)


class Follower(asyncio.Protocol):
    """The connection of a client that has had all events up to `cursor`: of all jobs, or of one job.

    While it is `live`, its feed writes each event to it. It is not live while it is `behind`, because it has
    not taken what was written, or because there was too much at once. It catches up when it has taken all.
    """

    __slots__ = (
        "_chunked", "_taken", "behind", "catch_up", "cursor", "has_end", "job_id", "key", "live",
        "lost", "receiving", "transport",
    )  # fmt: skip

    def __init__(
        self, cursor: Cursor, job_id: JobId | None, *, chunked: bool, key: KeyId | None = None
    ) -> None:
        self._chunked = chunked  # HTTP/1.1; HTTP/1.0 has no chunks
        self.transport: asyncio.WriteTransport | None = None
        # of what is written; None: the client has taken all
        self._taken: asyncio.Future[None] | None = None
        self.cursor = cursor
        self.job_id = job_id
        self.key = key  # the stream ends with it
        self.live = False
        self.behind = False
        self.has_end = False  # of its job
        self.receiving = False  # its job can disappear
        self.catch_up: Callable[[Follower], object] = lambda _: None
        self.lost: list[Callable[[Follower], object]] = []  # called when the connection is lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to write to a connection, on which the head of the response is sent."""
        self.transport = cast(asyncio.WriteTransport, transport)  # uvloop has a class of its own
        self.transport.set_write_buffer_limits(high=0)  # pause as soon as the client does not take all

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop to write."""
        del exc
        self.transport = None
        self.live = False
        self.resume_writing()
        for forget in self.lost:
            forget(self)

    def pause_writing(self) -> None:
        """Note that the client has not taken what was written."""
        self._taken = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Note that the client has taken all."""
        taken, self._taken = self._taken, None
        if taken is not None and not taken.done():
            taken.set_result(None)
        if self.behind and self.transport is not None:
            self.behind = False
            self.catch_up(self)

    @property
    def gone(self) -> bool:
        """Whether nothing can be written any more."""
        return self.transport is None or self.transport.is_closing()

    async def write(self, events: Sequence[Event]) -> None:
        """Write events, and wait until the client has taken them."""
        self._write(Piece(events))
        if self._taken is not None:
            await self._taken

    def take(self, pieces: Sequence[Piece], before: Cursor) -> None:
        """Write the first piece, and no more: see MOST_UNSENT. `before` covers all events before it."""
        if self._taken is None:
            self._write(pieces[0])
            if len(pieces) == 1:
                return
        else:
            self.cursor = before
        self.live, self.behind = False, True
        if self._taken is None:
            self.resume_writing()

    def beat(self) -> None:
        """Write a sign of life."""
        if self.transport is not None and self._taken is None:
            self.transport.write(framed(HEARTBEAT) if self._chunked else HEARTBEAT)

    def end(self) -> None:
        """End the response, and close the connection when the client has taken all."""
        self.live = False
        if self.transport is not None and not self.transport.is_closing():
            if self._chunked:
                self.transport.write(framed(b""))
            self.transport.close()

    def abort(self) -> None:
        """Cut the response, so that the client comes back."""
        self.live = False
        if self.transport is not None:
            self.transport.abort()

    def _write(self, piece: Piece) -> None:
        if self.transport is None:
            return
        self.transport.write(piece.chunk if self._chunked else piece.text)
        self.cursor = piece.last.cursor
        if self.job_id is not None:
            self.receiving, self.has_end = piece.last.receiving, piece.last.ended
            if self.has_end:
                self.end()


def framed(text: bytes) -> bytes:
    """Return a text as a chunk of an HTTP/1.1 body; the empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(text), text)


def pieces_of(events: Sequence[Event], most_bytes: int) -> Iterator[Piece]:
    """Join events into pieces of at most `most_bytes`, or of one event."""
    start = size = 0
    for place, event in enumerate(events):
        if place > start and size + len(event.text) > most_bytes:
            yield Piece(events[start:place])
            start, size = place, 0
        size += len(event.text)
    yield Piece(events[start:])
