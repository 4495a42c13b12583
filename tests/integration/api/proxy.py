"""A Unix socket in front of a server's socket, so that a test can cut one process off from the server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path


class Proxy:
    """Copies bytes both ways, until a test cuts or silences it."""

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.cut_at: Callable[[bytes], bool] = lambda _: False  # cut instead of forwarding these bytes
        self.silent = False  # read all bytes, and forward none

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
        await asyncio.gather(*self._tasks)

    def cut(self) -> None:
        """Cut the open connections."""
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        target_reader, target_writer = await asyncio.open_unix_connection(self._target)
        ends = {writer, target_writer}
        self._open |= ends
        try:
            await asyncio.gather(
                self._copy(reader, target_writer, ends, watched=True),
                self._copy(target_reader, writer, ends, watched=False),
            )
        finally:
            self._open -= ends

    async def _copy(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ends: set[asyncio.StreamWriter],
        *,
        watched: bool,
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(64 * 1024):
                if watched and self.cut_at(data):
                    break
                if not self.silent:
                    writer.write(data)
                    await writer.drain()
        for end in ends:
            end.transport.abort()


@asynccontextmanager
async def proxy(path: Path, target: Path) -> AsyncIterator[Proxy]:
    """Run a proxy."""
    running = Proxy(path, target)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()
