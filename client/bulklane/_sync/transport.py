"""Send requests, and send them again where that is right."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Protocol, TypeVar

import httpx2

from bulklane._sync import io
from bulklane._sync.body import Body
from bulklane.calls import Call, error_of, query_text, value_of
from bulklane.errors import APIError, ConnectionLost, NotFoundError, ServerError
from bulklane.retries import Attempts
from bulklane.settings import ClientSettings

T = TypeVar("T")
log = logging.getLogger("bulklane")
NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class Closable(Protocol):
    """A stream of events."""

    def close(self) -> None:
        """Close it."""


class Transport:
    """The connections of a client. Its requests may run at the same time."""

    def __init__(self, settings: ClientSettings, http: httpx2.Client | None) -> None:
        self._settings = settings
        self._http = http or httpx2.Client()
        self._is_ours = http is None
        self.streams: set[Closable] = set()  # that are open

    def close(self) -> None:
        """Close the streams and the connections; an HTTP client of the caller stays open."""
        for stream in [*self.streams]:
            stream.close()
        if self._is_ours:
            self._http.close()

    def send(self, call: Call, *, body: Body | None = None, deadline: io.Deadline | None = None) -> Any:
        """Return the JSON of the response.

        With a deadline, the request is repeated until then, and TimeoutError is raised then. Raises APIError,
        ConnectionLost, and what the source of the body raises.
        """
        in_doubt = False  # an attempt may have succeeded

        def ask() -> Any:
            nonlocal in_doubt
            try:
                with self.open(call, body=body) as response:
                    return value_of(response.read())
            except NotFoundError:
                if call.deletes and in_doubt:
                    return None
                raise
            except (ConnectionLost, ServerError):
                in_doubt = True
                raise

        return self._repeat(call, ask, deadline)

    def fetch(self, call: Call) -> httpx2.Response:
        """Return a response with its body read. Raises APIError, ConnectionLost."""

        def ask() -> httpx2.Response:
            with self.open(call) as response:
                response.read()
                return response

        return self._repeat(call, ask, None)

    def download(self, call: Call, path: Path) -> None:
        """Write a response into a file, which appears under its name when it is whole."""

        def ask() -> None:
            with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
                try:
                    with self.open(call) as response:
                        for piece in response.iter_bytes():
                            file.write(piece)
                    file.close()
                    os.replace(file.name, path)
                except BaseException:
                    os.unlink(file.name)
                    raise

        self._repeat(call, ask, None)

    @contextmanager
    def open(self, call: Call, *, body: Body | None = None) -> Iterator[httpx2.Response]:
        """Send a request once; yield its response before its body. Raises APIError, ConnectionLost."""
        response = self.begin(call, body=body)
        try:
            yield response
        except httpx2.RequestError as error:
            raise self.lost(error) from error
        finally:
            response.close()

    def begin(self, call: Call, *, body: Body | None = None) -> httpx2.Response:
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
            response = self._http.send(request, stream=True, follow_redirects=False)
            if response.is_success:
                return response
            content = response.read()  # to its end, which closes it
        except httpx2.RequestError as error:
            raise self.lost(error) from error
        raise error_of(response.status_code, content, response.headers)

    def lost(self, error: httpx2.RequestError) -> ConnectionLost:
        """Return the error that an error of the connection is for the user."""
        what = str(error) or type(error).__name__
        return ConnectionLost(
            f"no response from {self._settings.url}: {what}", sent=not isinstance(error, NOT_SENT)
        )

    def pause(
        self, error: APIError | ConnectionLost, attempts: Attempts, deadline: io.Deadline | None = None
    ) -> None:
        """Wait before the next attempt, at most until the deadline. Raises the error if there is none."""
        seconds = attempts.pause(error)
        if seconds is None:
            raise error
        log.info("the next attempt follows in %.1f seconds: %s", seconds, error)
        io.sleep(min(seconds, deadline.left()) if deadline else seconds)

    def attempts(self, *, repeatable: bool, always: bool = False, resuming: bool = False) -> Attempts:
        """Return the count of attempts of a new request."""
        return Attempts(self._settings.policy, repeatable, always, resuming)

    def _repeat(self, call: Call, ask: io.Asked[T], deadline: io.Deadline | None) -> T:
        attempts = self.attempts(repeatable=call.repeatable, always=deadline is not None)
        while True:
            try:
                return io.within(deadline.left(), ask) if deadline else ask()
            except (APIError, ConnectionLost) as error:
                self.pause(error, attempts, deadline)
