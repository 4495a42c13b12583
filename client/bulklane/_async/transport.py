"""Send requests, and send them again where that is right."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Protocol, TypeVar

import httpx2

from bulklane._async import io
from bulklane._async.body import AsyncBody
from bulklane.calls import Call, error_of, query_text, value_of
from bulklane.errors import APIError, ConnectionLost, NotFoundError, ServerError
from bulklane.retries import Attempts
from bulklane.settings import ClientSettings

T = TypeVar("T")
log = logging.getLogger("bulklane")
NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class Closable(Protocol):
    """A stream of events."""

    async def aclose(self) -> None:
        """Close it."""


class AsyncTransport:
    """The connections of a client. Its requests may run at the same time."""

    def __init__(self, settings: ClientSettings, http: httpx2.AsyncClient | None) -> None:
        self._settings = settings
        self._http = http or httpx2.AsyncClient()
        self._is_ours = http is None
        self.streams: set[Closable] = set()  # that are open

    async def aclose(self) -> None:
        """Close the streams and the connections; an HTTP client of the caller stays open."""
        for stream in [*self.streams]:
            await stream.aclose()
        if self._is_ours:
            await self._http.aclose()

    async def send(
        self, call: Call, *, body: AsyncBody | None = None, deadline: io.Deadline | None = None
    ) -> Any:
        """Return the JSON of the response.

        With a deadline, the request is repeated until then, and TimeoutError is raised then. Raises APIError,
        ConnectionLost, and what the source of the body raises.
        """
        in_doubt = False  # an attempt may have succeeded

        async def ask() -> Any:
            nonlocal in_doubt
            try:
                async with self.open(call, body=body) as response:
                    return value_of(await response.aread())
            except NotFoundError:
                if call.deletes and in_doubt:
                    return None
                raise
            except (ConnectionLost, ServerError):
                in_doubt = True
                raise

        return await self._repeat(call, ask, deadline)

    async def fetch(self, call: Call) -> httpx2.Response:
        """Return a response with its body read. Raises APIError, ConnectionLost."""

        async def ask() -> httpx2.Response:
            async with self.open(call) as response:
                await response.aread()
                return response

        return await self._repeat(call, ask, None)

    async def download(self, call: Call, path: Path) -> None:
        """Write a response into a file, which appears under its name when it is whole."""

        async def ask() -> None:
            with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
                try:
                    async with self.open(call) as response:
                        async for piece in response.aiter_bytes():
                            file.write(piece)
                    file.close()
                    os.replace(file.name, path)
                except BaseException:
                    os.unlink(file.name)
                    raise

        await self._repeat(call, ask, None)

    @asynccontextmanager
    async def open(self, call: Call, *, body: AsyncBody | None = None) -> AsyncIterator[httpx2.Response]:
        """Send a request once; yield its response before its body. Raises APIError, ConnectionLost."""
        response = await self.begin(call, body=body)
        try:
            yield response
        except httpx2.RequestError as error:
            raise self.lost(error) from error
        finally:
            await response.aclose()

    async def begin(self, call: Call, *, body: AsyncBody | None = None) -> httpx2.Response:
        """Do the same without closing the response."""
        request = self._http.build_request(
            call.method,
            self._settings.url + call.path,
            params=query_text(call.query),
            headers=self._settings.headers | (body.headers if body else {}) | dict(call.headers),
            timeout=httpx2.Timeout(call.seconds, connect=self._settings.connect_seconds),
            content=body.pieces() if body else call.content,
            json=call.json,
        )
        try:
            response = await self._http.send(request, stream=True, follow_redirects=False)
            if response.is_success:
                return response
            content = await response.aread()  # to its end, which closes it
        except httpx2.RequestError as error:
            raise self.lost(error) from error
        raise error_of(response.status_code, content, response.headers)

    def lost(self, error: httpx2.RequestError) -> ConnectionLost:
        """Return the error that an error of the connection is for the user."""
        what = str(error) or type(error).__name__
        return ConnectionLost(
            f"no response from {self._settings.url}: {what}", sent=not isinstance(error, NOT_SENT)
        )

    async def pause(
        self, error: APIError | ConnectionLost, attempts: Attempts, deadline: io.Deadline | None = None
    ) -> None:
        """Wait before the next attempt, at most until the deadline. Raises the error if there is none."""
        seconds = attempts.pause(error)
        if seconds is None:
            raise error
        log.info("the next attempt follows in %.1f seconds: %s", seconds, error)
        await io.sleep(min(seconds, deadline.left()) if deadline else seconds)

    def attempts(self, *, repeatable: bool, always: bool = False, resuming: bool = False) -> Attempts:
        """Return the count of attempts of a new request."""
        return Attempts(self._settings.policy, repeatable, always, resuming)

    async def _repeat(self, call: Call, ask: io.Asked[T], deadline: io.Deadline | None) -> T:
        attempts = self.attempts(repeatable=call.repeatable, always=deadline is not None)
        while True:
            try:
                return await (io.within(deadline.left(), ask) if deadline else ask())
            except (APIError, ConnectionLost) as error:
                await self.pause(error, attempts, deadline)
