"""A Unix socket in front of a server, so that a test can break the connections of one process."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeAlias
from urllib.parse import parse_qs, quote, urlsplit

Target: TypeAlias = Path | tuple[str, int]  # a Unix socket, or an address and a port
POSTGRES_SOCKET = ".s.PGSQL.5432"
COMMIT_REPLY = b"C\x00\x00\x00\x0bCOMMIT\x00"  # PostgreSQL's CommandComplete of a COMMIT
# A small job is accepted by one statement that commits itself: a row of a number and two times, then "idle".
ACCEPT_REPLY = re.compile(rb"D\x00\x00\x00\x26\x00\x03\x00\x00\x00\x04.*Z\x00\x00\x00\x05I$", re.DOTALL)


class Proxy:
    """Copies bytes both ways, until a test cuts, delays or silences it."""

    def __init__(self, path: Path, target: Target) -> None:
        self.path = path
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.cut_at: Callable[[bytes], bool] = _never  # cut instead of forwarding these bytes to the server
        self.cut_reply_at: Callable[[bytes], bool] = _never  # the same for bytes from the server
        self.silent = False  # read all bytes, and forward none
        self.delay_seconds = 0.0  # before each piece of bytes, in both directions
        self.accepted = 0  # connections so far
        self._half_open_at: bytes | None = None
        self._half_open: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def start(self) -> None:
        """Start to listen."""
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def stop(self) -> None:
        """Refuse new connections, and cut the open ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.path.unlink(missing_ok=True)
        self.cut()
        self._flowing.set()
        await asyncio.gather(*self._tasks)

    def cut(self) -> None:
        """Cut the open connections."""
        for writer in list(self._open):
            writer.transport.abort()

    def hold(self) -> None:
        """Keep all bytes until `behave`, like a server that is frozen."""
        self._flowing.clear()

    def lose_next_commit(self) -> asyncio.Event:
        """Cut one connection instead of forwarding its next reply to a COMMIT. The event is set then."""
        lost = asyncio.Event()

        def is_reply(data: bytes) -> bool:
            if lost.is_set() or not (COMMIT_REPLY in data or ACCEPT_REPLY.search(data)):
                return False
            lost.set()
            self.cut_reply_at = _never
            return True

        self.cut_reply_at = is_reply
        return lost

    def half_open_at(self, text: bytes) -> None:
        """Forward nothing more on the connection that sends `text` next, but keep it open."""
        self._half_open_at = text

    def behave(self) -> None:
        """Forward everything again. What was silenced stays lost."""
        self.cut_at = self.cut_reply_at = _never
        self._half_open_at = None
        self.silent = False
        self.delay_seconds = 0.0
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.accepted += 1
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            target_reader, target_writer = await _connect(self._target)
        except OSError:  # the server is away
            writer.transport.abort()
            return
        ends = {writer, target_writer}
        self._open |= ends
        try:
            await asyncio.gather(
                self._copy(reader, target_writer, ends, "cut_at"),
                self._copy(target_reader, writer, ends, "cut_reply_at"),
            )
        finally:
            self._open -= ends
            self._half_open -= ends

    async def _copy(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ends: set[asyncio.StreamWriter],
        condition: str,
    ) -> None:
        """Copy until the end, or until the current `condition` (the name of an attribute) is true."""
        with suppress(OSError):
            while data := await reader.read(64 * 1024):
                await self._flowing.wait()
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                if getattr(self, condition)(data):
                    break
                if self._half_open_at is not None and self._half_open_at in data:
                    self._half_open_at = None
                    self._half_open |= ends
                if not self.silent and writer not in self._half_open:
                    writer.write(data)
                    await writer.drain()
        for end in ends:
            end.transport.abort()


@asynccontextmanager
async def postgres_proxy(folder: Path, database_url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """Run a proxy in front of PostgreSQL, with its socket in `folder`. Yields it and the URL through it."""
    (host,) = parse_qs(urlsplit(database_url).query)["host"]
    url = database_url.replace(quote(host, safe=""), quote(str(folder), safe=""))
    async with proxy(folder / POSTGRES_SOCKET, Path(host) / POSTGRES_SOCKET) as line:
        yield line, url


@asynccontextmanager
async def proxy(path: Path, target: Target) -> AsyncIterator[Proxy]:
    """Run a proxy."""
    running = Proxy(path, target)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


async def _connect(target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(target, Path):
        return await asyncio.open_unix_connection(target)
    return await asyncio.open_connection(*target)


def _never(data: bytes) -> bool:
    return False
