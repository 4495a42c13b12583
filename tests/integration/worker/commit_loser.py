"""A wire to PostgreSQL that breaks between a commit that was done and the word of it."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit


def committed(data: bytes) -> bool:
    """Whether the server says that it has done a COMMIT."""
    return b"COMMIT\0" in data


def answered(data: bytes) -> bool:
    """Whether the server has executed a statement that is a transaction of its own, and is idle again."""
    return data.startswith(b"2\0\0\0\4") and data.endswith(b"Z\0\0\0\5I")


class CommitLoser:
    """Passes everything on; once `armed`, it swallows what it is armed for and cuts that connection."""

    def __init__(self, server: Path, folder: Path) -> None:
        self.armed: Callable[[bytes], bool] | None = None
        self._server = server
        self.socket = folder / server.name

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        up_reader, up_writer = await asyncio.open_unix_connection(str(self._server))
        wires = (self._pass_up(reader, up_writer), self._pass_down(up_reader, writer))
        tasks = [asyncio.create_task(wire) for wire in wires]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for end in (writer, up_writer):
            end.close()

    async def _pass_up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)

    async def _pass_down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self.armed and self.armed(data):
                self.armed = None
                return
            writer.write(data)


@asynccontextmanager
async def commit_loser(database_url: str) -> AsyncIterator[tuple[CommitLoser, str]]:
    """The wire, and the address by which to use it."""
    query = parse_qs(urlsplit(database_url).query)
    host, port = query["host"][0], query["port"][0]
    folder = Path(tempfile.mkdtemp(prefix="bulklane-"))  # short: a socket's path has a limit
    loser = CommitLoser(Path(host) / f".s.PGSQL.{port}", folder)
    server = await asyncio.start_unix_server(loser.connect, path=str(loser.socket))
    try:
        yield loser, database_url.replace(quote(host, safe=""), quote(str(folder), safe=""))
    finally:
        server.close()
        with suppress(OSError):
            shutil.rmtree(folder)
