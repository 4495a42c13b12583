"""The embedded Valkey of one installation, with an append-only file and a Unix socket."""

import asyncio
import signal
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from embedded.servers import binaries, processes
from embedded.servers.child import Child, Steps, clean_environment
from embedded.servers.home import Home

LEFTOVER_STEPS: Steps = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))
PING_SECONDS = 2.0  # for one PING during the start


class Valkey(Child):
    """The Valkey server of `home`. `durable=False` is for tests: it has no append-only file.

    `url` works with redis-py. arq's from_dsn does not decode it, so pass `socket` to arq as unix_socket_path.
    """

    hint: ClassVar[str] = "To use your own server, set REDIS_URL."

    def __init__(self, home: Home, *, durable: bool = True) -> None:
        super().__init__("valkey", home, owner=home.owner)
        self.data = home.state / "valkey"
        self.durable = durable
        self.socket = home.sockets / "valkey.sock"
        self.url = f"unix://{quote(str(self.socket))}"

    async def start(self) -> None:
        """End leftover processes of this data folder, then start the server."""
        await end_leftovers(self.data)
        programs = await asyncio.to_thread(binaries.for_home, self.home)
        self.home.make_sockets()
        self.home.make_state(self.data)
        self.socket.unlink(missing_ok=True)
        await self.spawn(
            [programs.valkey_server, *self._options()], env=clean_environment(), cwd=self.home.state
        )

    async def is_ready(self) -> bool:
        """Return whether the server responds to PING. It does so only after it has loaded its file."""
        try:
            async with asyncio.timeout(PING_SECONDS):
                reader, writer = await asyncio.open_unix_connection(self.socket)
                try:
                    writer.write(b"PING\r\n")
                    return await reader.readline() == b"+PONG\r\n"
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False

    def _options(self) -> list[str | Path]:
        return [
            *("--port", "0"),
            *("--unixsocket", self.socket),
            *("--unixsocketperm", "700"),
            *("--dir", self.data),
            *("--appendonly", "yes" if self.durable else "no"),
            *("--appendfsync", "everysec"),
            *("--save", ""),
            *("--maxmemory-policy", "noeviction"),
            *("--daemonize", "no"),
        ]


async def end_leftovers(data: Path) -> None:
    """Stop servers that still run in the data folder."""
    await processes.end(lambda: processes.inside(data, "valkey-server"), LEFTOVER_STEPS)
