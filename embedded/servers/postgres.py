"""The embedded PostgreSQL of one installation, with a Unix socket."""

import asyncio
import os
import pwd
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from embedded.servers import binaries, processes
from embedded.servers.child import Child, Steps, clean_environment, spawn
from embedded.servers.home import Home

# Explicit, because asyncpg would use PGPORT and PGSSLMODE. The port is part of the socket's name.
PORT, SSL = 5432, "disable"
NAME = "bulklane"  # name of the superuser and of the database
FAST, IMMEDIATE = signal.SIGINT, signal.SIGQUIT  # postgres(1): disconnect the clients; abort at once
CONNECT_SECONDS = 5.0  # for one attempt to connect during the start
STOP_STEPS: Steps = ((FAST, 60.0), (IMMEDIATE, 10.0), (signal.SIGKILL, 5.0))
LEFTOVER_STEPS: Steps = ((FAST, 20.0), (IMMEDIATE, 5.0), (signal.SIGKILL, 5.0))

INITDB = ("-A", "peer", "-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",  # a bulk load must not trigger a checkpoint every few seconds
    "checkpoint_timeout": "15min",
    "log_checkpoints": "off",
}
# After a crash, PostgreSQL writes the data folder to the disk before it replays the WAL: by default file by
# file, which took two to four seconds on a busy machine. This is one call, which only Linux has.
if sys.platform == "linux":
    SETTINGS["recovery_init_sync_method"] = "syncfs"
NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
}


class Postgres(Child):
    """The PostgreSQL server of `home`. `durable=False` is for tests: a crash of the machine can lose data.

    `settings` are settings of the server that replace ours.

    `url` works with asyncpg, SQLAlchemy and psql.
    """

    hint: ClassVar[str] = "To use your own server, set DATABASE_URL."
    death_signal: ClassVar[signal.Signals] = FAST
    stop_steps: Steps = STOP_STEPS

    def __init__(
        self, home: Home, *, durable: bool = True, settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__("postgres", home, owner=home.owner)
        self.data = home.state / "pg"
        self.durable = durable
        self._settings = SETTINGS | ({} if durable else NOT_DURABLE) | dict(settings or {})
        host = quote(str(home.sockets), safe="")
        self.url = f"postgresql://{NAME}@/{NAME}?host={host}&port={PORT}&sslmode={SSL}"

    async def start(self) -> None:
        """End leftover processes of this data folder, initialise the folder if needed, start the server."""
        await end_leftovers(self.data)
        programs = await asyncio.to_thread(binaries.for_home, self.home)
        self.home.make_sockets()
        if not self.data.is_dir():
            await self._initialise(programs)
        self._remove_stale_locks()
        settings = self._settings | self._socket_setting() | self._access_settings()
        await self.spawn(
            [programs.postgres, "-D", self.data, *_options(settings)],
            env=clean_environment(),
            cwd=self.home.state,
        )

    async def is_ready(self) -> bool:
        """Return whether the server accepts a connection. It can then run queries."""
        from storage.postgres.connection import (  # slow import, done while the server starts
            Unreachable,
            connect,
        )

        try:
            async with connect(self.url, within=CONNECT_SECONDS):
                return True
        except Unreachable:
            return False

    def _socket_setting(self) -> dict[str, str]:
        quoted = str(self.home.sockets).replace('"', '""')
        return {
            "unix_socket_directories": f'"{quoted}"'
        }  # the setting is a list: commas and spaces need quotes

    def _access_settings(self) -> dict[str, str]:
        """Let only this process's user connect, whatever the data folder says.

        The server of root runs as nobody, as other services do, so a process of the server's own user is not
        trusted.
        """
        user = pwd.getpwuid(os.geteuid()).pw_name
        files = {
            "hba_file": f"local all all peer map={NAME}\n",
            "ident_file": f'{NAME} "{user}" {NAME}\n',
        }
        return {name: str(self._write(f"{name}.conf", text)) for name, text in files.items()}

    def _write(self, name: str, text: str) -> Path:
        """Write a file that the server can read. It is made anew: the folder belongs to another user."""
        file = self.home.state / name
        file.unlink(missing_ok=True)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w") as opened:
            os.fchmod(opened.fileno(), 0o644)
            opened.write(text)
        return file

    async def _initialise(self, programs: binaries.Binaries) -> None:
        """Create the data folder under a temporary name and rename it, so that it is never incomplete."""
        for left_over in self.home.state.glob("pg.new*"):
            shutil.rmtree(left_over)
        scratch = self.data.with_name("pg.new")
        sync = () if self.durable else ("--no-sync",)
        await self._run([programs.initdb, "-D", scratch, "-U", NAME, *INITDB, *sync])
        await self._run(
            [programs.postgres, "--single", "-D", scratch, "postgres"], f"CREATE DATABASE {NAME}\n"
        )
        scratch.rename(self.data)

    async def _run(self, argv: list[str | Path], text: str = "") -> None:
        """Run a program to its end as the server's user. Raises StartFailed unless its exit code is 0."""
        process = await spawn(
            argv,
            env=clean_environment(),
            cwd=self.home.state,
            log=self.log,
            owner=self.owner,
            death_signal=signal.SIGKILL,
            text=text,
        )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            process.kill()
            raise
        if code:
            raise self.failed(f"could not be initialised ({Path(argv[0]).name} ended with {code})")

    def _remove_stale_locks(self) -> None:
        """Remove the lock files of an earlier server.

        No server runs here any more, so a pid in them belongs to an unrelated program. PostgreSQL would
        refuse to start while that program runs.
        """
        socket = self.home.sockets / f".s.PGSQL.{PORT}"
        for file in (self.data / "postmaster.pid", socket, Path(f"{socket}.lock")):
            file.unlink(missing_ok=True)


async def end_leftovers(data: Path) -> None:
    """Stop servers and orphaned backends that still run in the data folder."""
    await processes.end(lambda: processes.inside(data, "postgres"), LEFTOVER_STEPS)


def _options(settings: dict[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
