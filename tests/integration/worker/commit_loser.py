"""A proxy to PostgreSQL that cuts the connection after a commit, before the client gets the response."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit


def committed(data: bytes) -> bool:
    """Return whether the data reports a completed COMMIT."""
    return b"COMMIT\0" in data


def autocommitted(data: bytes) -> bool:
    """Return whether the data reports a completed statement outside a transaction block."""
    return data.startswith(b"2\0\0\0\4") and data.endswith(b"Z\0\0\0\5I")


class CommitLoser:
    """Forwards all data. Drops the first data that `armed` matches, and cuts that connection."""

    def __init__(self, server: Path, folder: Path) -> None:
        self.armed: Callable[[bytes], bool] | None = None
        self._server = server
        self.socket = folder / server.name

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward the data of one client in both directions."""
        up_reader, up_writer = await asyncio.open_unix_connection(str(self._server))
        directions = (self._pass_up(reader, up_writer), self._pass_down(up_reader, writer))
        tasks = [asyncio.create_task(direction) for direction in directions]
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
    """Yield the proxy and the database URL that leads through it."""
    query = parse_qs(urlsplit(database_url).query)
    host, port = query["host"][0], query["port"][0]
    folder = Path(
        tempfile.mkdtemp(prefix="bulklane-")
    )  # short: the path of a Unix socket is limited to about 100 bytes
    loser = CommitLoser(Path(host) / f".s.PGSQL.{port}", folder)
    server = await asyncio.start_unix_server(loser.connect, path=str(loser.socket))
    try:
        yield loser, database_url.replace(quote(host, safe=""), quote(str(folder), safe=""))
    finally:
        server.close()
        with suppress(OSError):
            shutil.rmtree(folder)
