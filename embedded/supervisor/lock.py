"""One supervisor per home."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded.servers import processes
from embedded.supervisor import dev_file
from embedded.supervisor.errors import SupervisorError


@contextmanager
def hold(home: Path) -> Iterator[None]:
    """Hold the home; SupervisorError if another process does. The kernel lets go even after a kill -9.

    The file names its holder, so that others can ask without taking the lock.
    """
    path = home / "run" / "lock"
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SupervisorError(_who(home)) from None
        me = processes.mark(os.getpid())
        if me:
            processes.save(path, me)
        try:
            yield
        finally:
            file.truncate(0)


def _who(home: Path) -> str:
    holder = processes.load(home / "run" / "lock")
    running = dev_file.load(home)
    where = f"already running at {running.url}" if running else "already starting or stopping"
    return f"{where} (pid {holder.pid if holder else 'unknown'}); stop it, or choose another BULKLANE_HOME"
