"""Uploads over a raw socket, which a test can cut or stall."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from storage.context import Context
from tests.integration.api.service import UPSERT, Client, Service
from tests.waiting import until


class Upload:
    """A connection that has sent the head of a submit request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, chunked: bool) -> None:
        self.reader = reader
        self.writer = writer
        self._chunked = chunked

    async def send(self, data: bytes) -> None:
        """Send a piece of the body."""
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data) if self._chunked else data)
        await self.writer.drain()

    async def end(self) -> None:
        """Send the end of a chunked body."""
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def response(self) -> bytes:
        """Return the head and the body of the response. The connection may stay open."""
        async with asyncio.timeout(10):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            assert length is not None
            return head + await self.reader.readexactly(int(length[1]))


@asynccontextmanager
async def upload(
    service: Service,
    client: Client,
    content_type: str,
    *,
    length: int | None = None,
    idempotency_key: str | None = None,
    query: str = "",
) -> AsyncIterator[Upload]:
    """Send the head of a submit request. Without `length`, the body is chunked."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    head = f"POST {UPSERT}{query} HTTP/1.1\r\nHost: x\r\nx-api-key: {client.key}\r\nConnection: close\r\n"
    if idempotency_key is not None:
        head += f"Idempotency-Key: {idempotency_key}\r\n"
    writer.write(f"{head}Content-Type: {content_type}\r\n{framing}\r\n\r\n".encode())
    try:
        yield Upload(reader, writer, chunked=length is None)
    finally:
        writer.transport.abort()


async def until_true(ctx: Context, query: str) -> None:
    """Wait until a query returns a true value."""
    await until(lambda: ctx.pool.fetchval(query))
