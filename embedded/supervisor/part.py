"""One supervised part: started, watched, and started again when it dies."""

import asyncio
import time
from collections.abc import Callable
from enum import StrEnum

from embedded.servers import Child, EmbeddedError

RESTART_SECONDS = 30.0  # after which a restarted part that does not answer is worth a word
FIRST_SECONDS = 0.1
LONGEST_SECONDS = 5.0  # half of what promise P6 allows for being back
RESET_SECONDS = 10.0  # a life this long clears the record


class Role(StrEnum):
    """What a part is for; the keys of `pids` in dev.json."""

    POSTGRES = "postgres"
    VALKEY = "valkey"
    API = "api"
    WORKER = "worker"


class Part:
    """A child with a role. `changed` is called whenever its pid has changed, `say` tells the console."""

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
        """Start it again each time it ends, for ever."""
        while True:
            code = await self.child.wait()
            self._changed()
            delay = self._backoff.after(time.monotonic() - self._started_at)
            self._say(f"{self.child.name} {describe(code)}; starting it again in {delay:g} s")
            await asyncio.sleep(delay)
            await self._restart()

    async def _restart(self) -> None:
        """A failure is only told: a dead part comes round again, a silent one may yet wake up."""
        try:
            await self.start(RESTART_SECONDS)
        except (EmbeddedError, OSError) as error:
            self._say(str(error).splitlines()[0])
        else:
            self._say(f"restarted {self.child.name} (pid {self.child.pid})")


class Backoff:
    """Doubles with each short life. Without jitter: a machine has one supervisor."""

    def __init__(self) -> None:
        self._next = FIRST_SECONDS

    def after(self, lifetime: float) -> float:
        """Seconds to wait now that a life of `lifetime` seconds has ended."""
        if lifetime >= RESET_SECONDS:
            self._next = FIRST_SECONDS
        delay = self._next
        self._next = min(2 * delay, LONGEST_SECONDS)
        return delay


def describe(code: int) -> str:
    """An exit code in words."""
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
