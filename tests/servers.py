"""A PostgreSQL and a Valkey of the test session's own, in memory where there is room."""

import asyncio
import os
import shutil
import signal
import tempfile
from pathlib import Path

from embedded.servers import Postgres, Valkey, open_scratch, processes

SHARED_MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 512 * 1024**2
PREFIX = "bulklane-test-"


class TestServers:
    """Starts both servers, and removes their data with them; they die with the test process in any case.

    Synchronous, for a session fixture. `start` and `stop` belong in the main thread, outside of any loop.
    """

    __test__ = False  # not a class of tests

    def __init__(self) -> None:
        self._folder = _make_folder()
        home = open_scratch(self._folder)
        self._postgres = Postgres(home, durable=False)
        self._valkey = Valkey(home, durable=False)
        # a loop of our own, kept for their whole life: asyncio's handles on them belong to it
        self._runner = asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)

    @property
    def database_url(self) -> str:
        """Of the empty database `bulklane`; its user is the superuser."""
        return self._postgres.url

    @property
    def redis_url(self) -> str:
        """For redis-py."""
        return self._valkey.url

    @property
    def redis_socket(self) -> Path:
        """For arq's RedisSettings(unix_socket_path=…)."""
        return self._valkey.socket

    @property
    def pids(self) -> dict[str, int | None]:
        """By role, for tests that kill them."""
        return {"postgres": self._postgres.pid, "valkey": self._valkey.pid}

    def start(self) -> None:
        """Start both, and wait until they answer."""
        self._runner.run(self._start())

    def stop(self) -> None:
        """Stop both and remove everything; nobody waits for a clean shutdown of data that is thrown away."""
        for pid in self.pids.values():
            if pid is not None:
                os.kill(pid, signal.SIGQUIT if pid == self._postgres.pid else signal.SIGKILL)
        self._runner.run(self._stop())
        self._runner.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _start(self) -> None:
        await asyncio.gather(self._postgres.start(), self._valkey.start())
        await asyncio.gather(self._postgres.wait_ready(), self._valkey.wait_ready())

    async def _stop(self) -> None:
        await asyncio.gather(self._postgres.wait(), self._valkey.wait())


def _make_folder() -> Path:
    """A new folder named after this process; those of processes that were killed are removed."""
    parent = SHARED_MEMORY if _has_room(SHARED_MEMORY) else Path(tempfile.gettempdir())
    for folder in parent.glob(f"{PREFIX}*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and processes.mark(int(pid)) is None and folder.owner() == Path.home().owner():
            shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent))


def _has_room(folder: Path) -> bool:
    return folder.is_dir() and shutil.disk_usage(folder).free >= ENOUGH_BYTES and os.access(folder, os.W_OK)
