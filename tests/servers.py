"""PostgreSQL and Valkey for a test session. Their data is in /dev/shm if it has room."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from embedded.servers import Postgres, Valkey, open_scratch, processes
from embedded.servers.child import die_with

SHARED_MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 512 * 1024**2
PREFIX = "bulklane-test-"
# A test about plans counts the pages of its statements: see tests/integration/plans. The others do not count.
SETTINGS = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "none"}


class TestServers:
    """Starts both servers, and stops them and deletes their data. They also die with the test process.

    Synchronous, for a session fixture. Call `start` and `stop` in the main thread, outside an event loop.
    """

    __test__ = False  # pytest must not collect it

    def __init__(self) -> None:
        self._folder = make_scratch_folder()
        home = open_scratch(self._folder)
        self._postgres = Postgres(home, durable=False, settings=SETTINGS)
        self._valkey = Valkey(home, durable=False)
        # one event loop until `stop`: asyncio's handles on the processes belong to it
        self._runner = asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)

    @property
    def database_url(self) -> str:
        """The URL of the empty database `bulklane`, as its superuser."""
        return self._postgres.url

    @property
    def redis_url(self) -> str:
        """The URL of Valkey for redis-py."""
        return self._valkey.url

    @property
    def redis_socket(self) -> Path:
        """The socket of Valkey, for arq's RedisSettings(unix_socket_path=…)."""
        return self._valkey.socket

    @property
    def pids(self) -> dict[str, int | None]:
        """The pid of each server by role, for tests that kill one."""
        return {"postgres": self._postgres.pid, "valkey": self._valkey.pid}

    def start(self) -> None:
        """Start both servers, and wait until they are ready."""
        self._runner.run(self._start())

    def stop(self) -> None:
        """Kill both servers and delete their data. The data is discarded, so no clean shutdown is needed."""
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


def dying_with_tests() -> Callable[[], None]:
    """Return a `preexec_fn` of a service: the service stops when the test process dies, even by SIGKILL."""
    return partial(die_with, os.getpid(), signal.SIGINT)


def make_scratch_folder() -> Path:
    """Make a folder named after this process; delete the folders of processes that no longer run."""
    parent = SHARED_MEMORY if _has_room(SHARED_MEMORY) else Path(tempfile.gettempdir())
    for folder in parent.glob(f"{PREFIX}*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and processes.mark(int(pid)) is None and folder.owner() == Path.home().owner():
            shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent))


def _has_room(folder: Path) -> bool:
    return folder.is_dir() and shutil.disk_usage(folder).free >= ENOUGH_BYTES and os.access(folder, os.W_OK)
