"""A line of the Procfile as a process."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from embedded.servers import Child, Home
from embedded.servers.child import Steps, clean_environment

DRAIN_SECONDS = 20.0  # the api ends its requests, a worker its chunks
STOP_STEPS: Steps = ((signal.SIGTERM, DRAIN_SECONDS), (signal.SIGKILL, 5.0))

Ready = Callable[[], Awaitable[bool]]


class Command(Child):
    """Runs the line in a shell that gives way to the program, so that the pid is the program's."""

    stop_steps: Steps = STOP_STEPS

    def __init__(self, name: str, home: Home, line: str, *, env: dict[str, str], cwd: Path) -> None:
        super().__init__(name, home)
        self._line = line
        self._env = env
        self._cwd = cwd
        self._ready: Ready | None = None

    def ready_when(self, ready: Ready) -> None:
        """How to ask whether it is ready; without, it is as soon as it lives."""
        self._ready = ready

    async def start(self) -> None:
        """Start the program."""
        await self.spawn(["/bin/sh", "-c", f"exec {self._line}"], env=self._env, cwd=self._cwd)

    async def answers(self) -> bool:
        """Whether the program lives, and is ready if there is a way to ask."""
        if self._ready is None:
            return await super().answers()
        return self.pid is not None and await self._ready()

    async def run(self) -> None:
        """Run the program to its end; StartFailed if that is not a good one."""
        await self.start()
        try:
            code = await self.wait()
        except asyncio.CancelledError:
            self.send(signal.SIGKILL)
            raise
        if code:
            raise self.failed(f"ended with {code}")


def environment(*, host: str, port: int, database_url: str, redis_url: str) -> dict[str, str]:
    """What the lines of the Procfile find in their environment."""
    programs = str(Path(sys.executable).parent)  # not resolved: the virtual environment's, not the system's
    return {
        **clean_environment(),
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join((programs, os.environ.get("PATH", os.defpath))),
        "PYTHONUNBUFFERED": "1",
        "HOST": host,
        "PORT": str(port),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
    }
