"""The lines of the Procfile, which any process manager can run, each as a process."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from honcho.environ import parse_procfile  # type: ignore[import-untyped]  # honcho has no types

from embedded.servers import Child, Home
from embedded.servers.child import Steps, clean_environment
from embedded.supervisor.options import SupervisorError

LINES = ("release", "api", "worker")
DRAIN_SECONDS = 20.0  # the api finishes its requests, a worker its chunks
STOP_STEPS: Steps = ((signal.SIGTERM, DRAIN_SECONDS), (signal.SIGKILL, 5.0))

Ready = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, kw_only=True)
class Procfile:
    """The shell commands of a Procfile."""

    release: str  # must end before the others start
    api: str
    worker: str


def read_procfile(path: Path) -> Procfile:
    """Read the Procfile at `path`. Raises SupervisorError if it cannot be read or lacks a line."""
    try:
        lines: dict[str, str] = dict(parse_procfile(path.read_text()).processes)
    except OSError as error:
        raise SupervisorError(f"cannot read {path}: {error.strerror}") from error
    except AssertionError as error:  # honcho raises it for a name that occurs twice
        raise SupervisorError(f"{path}: {error}") from error
    missing = [name for name in LINES if name not in lines]
    if missing:
        raise SupervisorError(f"{path} has no line {', '.join(f'`{name}: …`' for name in missing)}")
    return Procfile(release=lines["release"], api=lines["api"], worker=lines["worker"])


class Command(Child):
    """A line of the Procfile. It runs in a shell that `exec`s the program, so the pid is the program's."""

    stop_steps: Steps = STOP_STEPS

    def __init__(self, name: str, home: Home, line: str, *, env: dict[str, str], cwd: Path) -> None:
        super().__init__(name, home)
        self._line = line
        self._env = env
        self._cwd = cwd
        self._ready: Ready | None = None

    def ready_when(self, ready: Ready) -> None:
        """Set the check whether the program is ready. Without one, it is ready as soon as it runs."""
        self._ready = ready

    async def start(self) -> None:
        """Start the program."""
        await self.spawn(["/bin/sh", "-c", f"exec {self._line}"], env=self._env, cwd=self._cwd)

    async def is_ready(self) -> bool:
        """Return whether the program runs and passes its check."""
        if self._ready is None:
            return await super().is_ready()
        return self.pid is not None and await self._ready()

    async def run(self) -> None:
        """Run the program to its end. Raises StartFailed unless its exit code is 0."""
        await self.start()
        try:
            code = await self.wait()
        except asyncio.CancelledError:
            self.send(signal.SIGKILL)
            raise
        if code:
            raise self.failed(f"ended with {code}")


def environment(
    *, host: str, port: int, database_url: str, redis_url: str, operator_key: str | None = None
) -> dict[str, str]:
    """Return the environment of the commands."""
    programs = str(Path(sys.executable).parent)  # not resolved, to stay in the virtual environment
    return {
        **clean_environment(),
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join((programs, os.environ.get("PATH", os.defpath))),
        "PYTHONUNBUFFERED": "1",
        "HOST": host,
        "PORT": str(port),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        **({"OPERATOR_KEY": operator_key} if operator_key else {}),
    }
