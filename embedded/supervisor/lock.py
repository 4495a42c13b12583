"""The lock that allows one supervisor per home, and the end of what a killed supervisor left."""

import asyncio
import fcntl
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded.servers import Home, postgres, processes, valkey
from embedded.servers.child import Steps
from embedded.servers.home import retired_states
from embedded.supervisor import dev_file
from embedded.supervisor.options import SupervisorError

# these processes got a signal when the last supervisor died; killing them is safe (requirement P2)
STEPS: Steps = ((signal.SIGTERM, 3.0), (signal.SIGKILL, 5.0))


@contextmanager
def hold(home: Path) -> Iterator[None]:
    """Hold the lock of the home while the body runs. Raises SupervisorError if another process holds it.

    The kernel releases the lock even after a kill -9. The file contains the mark of its holder.
    """
    path = home / "run" / "lock"
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SupervisorError(_held(home)) from None
        me = processes.mark(os.getpid())
        if me:
            processes.save(path, me)
        try:
            yield
        finally:
            file.truncate(0)


async def end_leftovers(home: Home) -> None:
    """End the processes that a killed supervisor of this home left. Remove the states of deleted homes."""
    await asyncio.gather(*(_end_recorded(home, name) for name in _recorded(home)))
    await asyncio.gather(
        postgres.end_leftovers(home.state / "pg"), valkey.end_leftovers(home.state / "valkey")
    )
    for state in retired_states(home):
        await asyncio.gather(postgres.end_leftovers(state / "pg"), valkey.end_leftovers(state / "valkey"))
        await asyncio.to_thread(shutil.rmtree, state, ignore_errors=True)


def _held(home: Path) -> str:
    """Return the message for a home whose lock another process holds."""
    holder = processes.load(home / "run" / "lock")
    running = dev_file.load(home)
    where = f"already running at {running.url}" if running else "already starting or stopping"
    return f"{where} (pid {holder.pid if holder else 'unknown'}): stop it, or choose another BULKLANE_HOME"


def _recorded(home: Home) -> list[str]:
    """Return the names of the recorded api and workers. Servers are found by their data folders."""
    names = (file.stem for file in home.run.glob("*.pid"))
    return [name for name in names if name not in ("postgres", "valkey")]


async def _end_recorded(home: Home, name: str) -> None:
    file = home.run / f"{name}.pid"
    marked = processes.load(file)
    if marked:
        await processes.end(lambda: [marked] if processes.is_alive(marked) else [], STEPS)
    file.unlink(missing_ok=True)
