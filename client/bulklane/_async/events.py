"""Follow the changes of jobs as server-sent events, and resume after a cut."""

from collections import deque
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import httpx2

from bulklane._async import io
from bulklane._async.transport import AsyncTransport
from bulklane.calls import Call
from bulklane.errors import APIError, ConnectionLost
from bulklane.server_events import EventReader, JobEvent

SILENCE = 45.0  # seconds; the service sends a sign of life each 15


class AsyncEvents:
    """Iterates over events: those of a job until its end, those of an account without an end.

    A stream that is cut is opened again where it was left. Raises APIError, or ConnectionLost after the
    attempts of the retry policy. To leave it before its end, close it, or use it in a `with` statement; the
    client closes what is left.
    """

    def __init__(self, transport: AsyncTransport, path: str, last_event_id: str | None) -> None:
        self._transport = transport
        self._path = path
        self._reader = EventReader(last_id=last_event_id)
        self._attempts = transport.attempts(repeatable=True)
        self._events: deque[JobEvent] = deque()
        self._response: httpx2.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None
        self._ended = False

    def __aiter__(self) -> Self:
        """Return the iterator, which is this object."""
        return self

    async def __anext__(self) -> JobEvent:
        """Return the next event, when it comes."""
        while not self._events:
            if self._ended:
                raise StopAsyncIteration
            try:
                await self._read()
            except (APIError, ConnectionLost) as error:
                await self._leave()
                await self._transport.pause(error, self._attempts)
        return self._events.popleft()

    async def aclose(self) -> None:
        """Close the stream."""
        self._ended = True
        self._events.clear()
        await self._leave()

    async def __aenter__(self) -> Self:
        """Return the iterator."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the stream."""
        await self.aclose()

    async def _read(self) -> None:
        """Open the stream if there is none, and read what comes next."""
        if self._chunks is None:
            await self._enter()
            return
        try:
            data = await anext(self._chunks, None)
        except httpx2.RequestError as error:
            raise self._transport.lost(error) from error
        if data is None:  # the api has stopped: another one goes on
            await self._leave()
            await io.sleep(self._reader.retry)
            return
        self._attempts = self._transport.attempts(repeatable=True)
        self._events.extend(self._reader.feed(data))
        if self._reader.ended and self._path != "/v1/events":
            self._ended = True
            await self._leave()

    async def _enter(self) -> None:
        headers = {"Accept": "text/event-stream"}
        if self._reader.last_id:
            headers["Last-Event-ID"] = self._reader.last_id
        call = Call(method="GET", path=self._path, headers=headers, repeatable=True, seconds=SILENCE)
        self._response = await self._transport.begin(call)
        self._transport.streams.add(self)
        if self._response.status_code == 204:  # the job had ended before
            self._ended = True
            await self._leave()
        else:
            self._chunks = self._response.aiter_bytes()

    async def _leave(self) -> None:
        self._reader.cut()
        response, self._response, self._chunks = self._response, None, None
        self._transport.streams.discard(self)
        if response is not None:
            await response.aclose()
