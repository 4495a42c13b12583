"""A part of a cluster: a process that is started again when it ends, and that a test can break."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import ClassVar

from embedded.servers import Child, EmbeddedError, Postgres, Valkey, processes
from embedded.servers.child import Steps
from embedded.supervisor.commands import Command
from embedded.supervisor.supervised import FIRST_SECONDS, Role
from tests.waiting import CHECK_SECONDS

BACK_SECONDS = 60.0  # a start of PostgreSQL or of Python takes long on a busy machine
ABORT: Steps = ((signal.SIGKILL, 10.0),)


class DoomedPostgres(Postgres):
    """A PostgreSQL that cannot outlive the test process, even if a test has stopped it."""

    death_signal: ClassVar[signal.Signals] = signal.SIGKILL
    stop_steps: Steps = ((signal.SIGQUIT, 10.0), *ABORT)


class DoomedValkey(Valkey):
    """A Valkey that cannot outlive the test process."""

    death_signal: ClassVar[signal.Signals] = signal.SIGKILL
    stop_steps: Steps = ABORT


class DoomedCommand(Command):
    """An api or a worker that cannot outlive the test process."""

    death_signal: ClassVar[signal.Signals] = signal.SIGKILL
    stop_steps: Steps = ABORT


class Part:
    """A process with a role. `watch` and `unwatch` set whether it is started again when it ends."""

    def __init__(self, role: Role, child: Child) -> None:
        self.role = role
        self.child = child
        self._keeper: asyncio.Task[None] | None = None
        self._ended: int | None = None  # the pid that a test has ended last

    @property
    def pid(self) -> int | None:
        """The pid, or None while it does not run."""
        return self.child.pid

    @property
    def log(self) -> str:
        """The output of all its runs."""
        return self.child.log.read_text(errors="replace") if self.child.log.exists() else ""

    async def start(self) -> None:
        """Start the process, wait until it is ready, and keep it running."""
        await self.child.start()
        await self.child.wait_ready(BACK_SECONDS)
        self.watch()

    def watch(self) -> None:
        """Start the process again whenever it ends, after the first delay of the supervisor."""
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())

    async def unwatch(self) -> None:
        """Do not start the process again."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            self._keeper = None

    def freeze(self) -> None:
        """Stop the process, and the children of a server, with SIGSTOP."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue what `freeze` or a failpoint has stopped."""
        self._signal_all(signal.SIGCONT)

    async def kill(self) -> None:
        """End the process with SIGKILL. It is started again if it is watched: see `back`."""
        await self.end(signal.SIGKILL)

    async def end(self, number: signal.Signals) -> None:
        """Send a signal that ends the process, and wait for its end."""
        self._ended = self.pid
        if self._ended is not None:
            ended = asyncio.ensure_future(self.child.wait())
            self.child.send(number)
            async with asyncio.timeout(BACK_SECONDS):
                await ended

    async def back(self) -> None:
        """Wait until the process runs again after `kill` or `end`, and is ready."""
        async with asyncio.timeout(BACK_SECONDS):
            while self.pid in (None, self._ended) or not await self.child.is_ready():  # noqa: ASYNC110
                await asyncio.sleep(CHECK_SECONDS)

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Kill the process, keep it dead while the body runs, then start it."""
        await self.unwatch()
        await self.kill()
        try:
            yield
        finally:
            await self.start()

    async def discard(self) -> None:
        """End the process for good, in whatever state it is."""
        await self.unwatch()
        self.thaw()
        await self.child.stop()

    async def _keep(self) -> None:
        while True:
            await self.child.wait()
            await asyncio.sleep(FIRST_SECONDS)
            with suppress(EmbeddedError, OSError):
                await self.child.start()
                await self.child.wait_ready(BACK_SECONDS)

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in self._pids():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _pids(self) -> list[int]:
        """Return the pids of the process and, for PostgreSQL, of its backends."""
        if isinstance(self.child, Postgres):
            return [marked.pid for marked in processes.inside(self.child.data, "postgres")]
        return [self.pid] if self.pid is not None else []


def stopped(pid: int) -> bool:
    """Return whether a process is stopped by a signal."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False
