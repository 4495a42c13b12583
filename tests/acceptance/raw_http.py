"""Send a request as the exact bytes of an example, and parse the response."""

import asyncio
import io
import json
from http.client import HTTPResponse
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit


class Response(NamedTuple):
    """Status, headers (names in lower case) and body of a response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


async def send(url: str, request: str, **headers: str) -> Response:
    """Send a request (first line, headers, empty line, body); `headers` are added, with _ for -.

    Adds only the headers that every client adds: Host, Content-Length, Connection.
    """
    head, _, body = request.strip("\n").partition("\n\n")
    address = urlsplit(url)
    lines = [
        *head.split("\n"),
        f"Host: {address.netloc}",
        f"Content-Length: {len(body.encode())}",
        "Connection: close",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write("\r\n".join([*lines, "", body]).encode())
    async with asyncio.timeout(30):
        received = await reader.read()
    writer.close()
    response = HTTPResponse(cast(Any, _Received(received)))
    response.begin()
    named = {name.lower(): value for name, value in response.getheaders()}
    return Response(response.status, named, response.read())


class _Received:
    """Received bytes in the place of a socket, for HTTPResponse."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)
