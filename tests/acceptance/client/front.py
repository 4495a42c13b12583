"""A server in front of an api: it answers the first connections itself, and forwards the others."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import TypeAlias


class Bad(Enum):
    """Behaviour of a server that never answers."""

    SILENT = "silent"
    DRIPPING = "dripping"  # one byte of a header after the other, without an end


Answer: TypeAlias = bytes | Bad
DRIP_SECONDS = 0.02


def refusal(status: int, code: str, retry_after: int | None = None) -> bytes:
    """Return a response with an error; it closes the connection."""
    body = f'{{"error":{{"type":"t","code":"{code}","message":"prepared","request_id":"req_0"}}}}'
    head = f"HTTP/1.1 {status} Prepared\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    again = "" if retry_after is None else f"Retry-After: {retry_after}\r\n"
    return f"{head}{again}Content-Type: application/json\r\n\r\n{body}".encode()


class Front:
    """Answers a request when its body is whole. `received` has the bytes of the answered connections.

    Without `keep`, it has only their last bytes: for bodies that are too large for the memory.
    """

    def __init__(self, target: tuple[str, int], *, keep: bool = True) -> None:
        self._target = target
        self._keep = keep
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.answers: deque[Answer] = deque()
        self.received: list[bytes] = []
        self.passed = 0  # bytes that were forwarded from clients
        self._moved = asyncio.Event()
        self.url = ""

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """End all connections."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def moved(self) -> None:
        """Wait until further bytes are forwarded from a client."""
        self._moved.clear()
        await self._moved.wait()

    def cut(self) -> None:
        """Break all connections."""
        for task in self._tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            with suppress(ConnectionError, asyncio.CancelledError):
                if self.answers:
                    await self._answer(self.answers.popleft(), reader, writer)
                else:
                    await self._forward(reader, writer)
        finally:
            writer.transport.abort()

    async def _answer(
        self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        received = await reader.readuntil(b"\r\n\r\n")
        if b"transfer-encoding: chunked" in received.lower():
            while not received.endswith(b"\r\n0\r\n\r\n"):
                received = (received if self._keep else received[-16:]) + await reader.read(64 * 1024)
        self.received.append(received)
        if answer is Bad.DRIPPING:
            writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while True:
                writer.write(b".")
                await writer.drain()
                await asyncio.sleep(DRIP_SECONDS)
        if isinstance(answer, bytes):
            writer.write(answer)
            await writer.drain()
            writer.close()
        await reader.read()  # until the client leaves

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target_reader, target_writer = await asyncio.open_connection(*self._target)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, target_writer, self._count))
                group.create_task(_copy(target_reader, writer, len))
        finally:
            target_writer.transport.abort()

    def _count(self, data: bytes) -> None:
        self.passed += len(data)
        self._moved.set()


@asynccontextmanager
async def front_of(target: tuple[str, int], *answers: Answer, keep: bool = True) -> AsyncIterator[Front]:
    """Run a front with prepared answers."""
    front = Front(target, keep=keep)
    front.answers.extend(answers)
    await front.start()
    try:
        yield front
    finally:
        await front.stop()


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, told: Callable[[bytes], object]
) -> None:
    while data := await reader.read(64 * 1024):
        told(data)
        writer.write(data)
        await writer.drain()
    writer.write_eof()
