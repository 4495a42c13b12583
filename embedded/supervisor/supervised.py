"""A supervised process: start it, watch it, restart it when it ends."""

import asyncio
import time
from collections.abc import Callable
from enum import StrEnum

from embedded.servers import Child, EmbeddedError

RESTART_SECONDS = 30.0  # a restarted process that is not ready by then is reported
FIRST_SECONDS = 0.1
LONGEST_SECONDS = 5.0  # half of the time that requirement P6 allows for a restart
RESET_SECONDS = 10.0  # a lifetime of this length resets the delay


class Role(StrEnum):
    """The role of a process. The roles are the keys of `pids` in dev.json."""

    POSTGRES = "postgres"
    VALKEY = "valkey"
    API = "api"
    WORKER = "worker"


class Supervised:
    """A child with a role. `changed` is called after each change of its pid; `say` prints to the console."""

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
        """Start the process and wait until it is ready, at most `within` seconds."""
        self._started_at = time.monotonic()
        await self.child.start()
        self._changed()
        await self.child.wait_ready(within)

    async def keep(self) -> None:
        """Restart the process each time it ends, until cancelled."""
        while True:
            code = await self.child.wait()
            self._changed()
            delay = self._backoff.after(time.monotonic() - self._started_at)
            self._say(f"{self.child.name} {describe(code)}; restart in {delay:g} s")
            await asyncio.sleep(delay)
            await self._restart()

    async def _restart(self) -> None:
        """Start the process and report a failure. `keep` continues: the process may end or become ready."""
        try:
            await self.start(RESTART_SECONDS)
        except (EmbeddedError, OSError) as error:
            self._say(str(error).splitlines()[0])
        else:
            self._say(f"restarted {self.child.name} (pid {self.child.pid})")


class Backoff:
    """The delay before a restart. It doubles after each short lifetime.

    It needs no jitter, because a machine has one supervisor.
    """

    def __init__(self) -> None:
        self._next = FIRST_SECONDS

    def after(self, lifetime: float) -> float:
        """Return the delay in seconds after a lifetime of `lifetime` seconds."""
        if lifetime >= RESET_SECONDS:
            self._next = FIRST_SECONDS
        delay = self._next
        self._next = min(2 * delay, LONGEST_SECONDS)
        return delay


def describe(code: int) -> str:
    """Return an exit code in words."""
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
