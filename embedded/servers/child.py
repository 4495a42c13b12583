"""A child process in its own session. It ends when its parent dies; a series of signals stops it."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO, ClassVar

from embedded.servers import processes
from embedded.servers.home import EmbeddedError, Home, Owner

PR_SET_PDEATHSIG = 1  # prctl(2)
POLL_SECONDS = 0.01  # between the first attempts to connect
LONGEST_POLL_SECONDS = 0.1  # the pause doubles: each attempt costs a server that recovers a process
TAIL_BYTES = 4_000  # end of a log that an error message contains
READY_SECONDS = 60.0  # after a kill, PostgreSQL may have to replay 2 GB of WAL

Steps = Sequence[tuple[signal.Signals, float]]
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None  # loading after a fork is unsafe


class StartFailed(EmbeddedError):
    """A program did not start. The message contains the end of its log."""


class Child:
    """A program that this process starts, watches and stops. A subclass defines `start` and `is_ready`.

    `start` may be called again after the process has ended. Start children from the main thread, because the
    kernel sends the death signal when the thread that forked ends.
    """

    hint: ClassVar[str] = ""  # what to do if it does not start
    death_signal: ClassVar[signal.Signals] = signal.SIGTERM  # the kernel sends it when the parent dies
    stop_steps: Steps = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))

    def __init__(self, name: str, home: Home, *, owner: Owner | None = None) -> None:
        self.name = name
        self.home = home
        self.owner = owner
        self.log = home.log / f"{name}.log"
        self._mark_file = home.run / f"{name}.pid"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The pid, or None if the process does not run."""
        process = self._process
        return process.pid if process and process.returncode is None else None

    async def start(self) -> None:
        """Start the process. It is not ready yet."""
        raise NotImplementedError

    async def is_ready(self) -> bool:
        """Return whether the process is ready."""
        return self.pid is not None

    async def wait(self) -> int:
        """Wait until the process ends. Return its exit code, negative for a signal."""
        if self._process is None:
            return 0
        code = await self._process.wait()
        self._mark_file.unlink(missing_ok=True)
        return code

    async def wait_ready(self, within: float = READY_SECONDS) -> None:
        """Wait until the process is ready. Raises StartFailed if it ends, or after `within` seconds."""
        ended = asyncio.ensure_future(self.wait())
        pause = POLL_SECONDS
        try:
            async with asyncio.timeout(within):
                while not await self.is_ready():
                    if ended.done():
                        raise self.failed(f"ended with {ended.result()} during the start")
                    await asyncio.wait({ended}, timeout=pause)
                    pause = min(2 * pause, LONGEST_POLL_SECONDS)
        except TimeoutError:
            raise self.failed(f"is not ready after {within:g} seconds") from None
        finally:
            ended.cancel()

    async def stop(self) -> None:
        """Stop the process and wait until it ends. A cancellation prevents further signals."""
        process = self._process
        if process is None:
            return
        for number, seconds in self.stop_steps:
            self.send(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.wait()
                    return

    def send(self, number: signal.Signals) -> None:
        """Send the signal if the process runs."""
        process = self._process
        if process and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    def failed(self, what: str) -> StartFailed:
        """Return the error for a program that did not start, with the end of its log."""
        return StartFailed(
            f"{self.name} {what}. The end of {self.log}:\n{tail(self.log)}\n{self.hint}".strip()
        )

    async def spawn(self, argv: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path) -> None:
        """Start the process and record it on disk, so that a later start can end it after a kill -9."""
        self._process = await spawn(
            argv, env=env, cwd=cwd, log=self.log, owner=self.owner, death_signal=self.death_signal
        )
        marked = processes.mark(self._process.pid)
        if marked:
            processes.save(self._mark_file, marked)


async def spawn(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    owner: Owner | None,
    death_signal: signal.Signals,
    text: str = "",
) -> asyncio.subprocess.Process:
    """Start a program as `owner`, with `text` (at most 4 KiB) as input and its output appended to `log`."""
    with log.open("ab") as output, _readable(text) as source:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=source,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,  # a Ctrl-C in the terminal must not reach the child
            user=owner.uid if owner else None,
            group=owner.gid if owner else None,
            extra_groups=[] if owner else None,
            preexec_fn=partial(die_with, os.getpid(), death_signal),
        )


def clean_environment() -> dict[str, str]:
    """Return the environment without variables that change the language or connections of a server."""
    excluded = ("LC_", "PG", "LANG")
    return {name: value for name, value in os.environ.items() if not name.startswith(excluded)}


def tail(log: Path) -> str:
    """Return the end of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            return file.read().decode(errors="replace").rstrip()
    except OSError:
        return ""


def _readable(text: str) -> BinaryIO:
    """Return a pipe that contains the text. Up to 4 KiB, writing does not wait for a reader."""
    reading, writing = os.pipe()
    with open(writing, "wb") as end:
        end.write(text.encode())
    return open(reading, "rb")


def die_with(parent: int, number: signal.Signals) -> None:
    """Have the kernel signal this child when its parent dies. Runs in the child.

    It must run after the change of user, which clears the setting.
    """
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)
