"""A wire to PostgreSQL that breaks between a COMMIT that was done and the word of it."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

COMMITTED = b"COMMIT\0"  # the tag by which the server says so


class CommitLoser:
    """Passes everything on; once `armed`, it swallows the next word of a COMMIT and cuts that connection."""

    def __init__(self, server: Path, folder: Path) -> None:
        self.armed = False
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
            if self.armed and COMMITTED in data:
                self.armed = False
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
