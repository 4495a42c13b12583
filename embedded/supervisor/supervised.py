"""A supervised process: started, watched, and started again when it ends."""

import asyncio
import time
from collections.abc import Callable
from enum import StrEnum

from embedded.servers import Child, EmbeddedError

RESTART_SECONDS = 30.0  # a restarted process that does not answer by then is reported
FIRST_SECONDS = 0.1
LONGEST_SECONDS = 5.0  # half of what promise P6 allows for a restart
RESET_SECONDS = 10.0  # a life this long resets the delay


class Role(StrEnum):
    """What a process is for; the keys of `pids` in dev.json."""

    POSTGRES = "postgres"
    VALKEY = "valkey"
    API = "api"
    WORKER = "worker"


class Supervised:
    """A child with a role. `changed` is called after each change of its pid, `say` prints to the console."""

    def __init__(
        self, role: Role, child: Child, *, changed: Callable[[], None], say: Callable[[str], None]
    ) -> None:
        self.role = role
        self.child = child
        self._changed = changed
        self._say = say
        self._backoff = Backoff()
        self._started_at = 0.0

    async def start(self, within: float) -> None:
        """Start it and wait until it is ready."""
        self._started_at = time.monotonic()
        await self.child.start()
        self._changed()
        await self.child.wait_ready(within)

    async def keep(self) -> None:
        """Start it again each time it ends, until this is cancelled."""
        while True:
            code = await self.child.wait()
            self._changed()
            delay = self._backoff.after(time.monotonic() - self._started_at)
            self._say(f"{self.child.name} {describe(code)}; starting it again in {delay:g} s")
            await asyncio.sleep(delay)
            await self._restart()

    async def _restart(self) -> None:
        """Start it, and report a failure; `keep` goes on: the process may end, or may yet be ready."""
        try:
            await self.start(RESTART_SECONDS)
        except (EmbeddedError, OSError) as error:
            self._say(str(error).splitlines()[0])
        else:
            self._say(f"restarted {self.child.name} (pid {self.child.pid})")


class Backoff:
    """The delay before a restart: doubles with each short life. No jitter: a machine has one supervisor."""

    def __init__(self) -> None:
        self._next = FIRST_SECONDS

    def after(self, lifetime: float) -> float:
        """Return the seconds to wait after a life of `lifetime` seconds."""
        if lifetime >= RESET_SECONDS:
            self._next = FIRST_SECONDS
        delay = self._next
        self._next = min(2 * delay, LONGEST_SECONDS)
        return delay


def describe(code: int) -> str:
    """An exit code in words."""
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
