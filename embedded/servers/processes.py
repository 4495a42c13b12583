"""Identify processes by pid and start time, read from /proc on Linux.

A pid alone is not enough, because the kernel reuses pids. On other systems no process is recognised, so none
is signalled.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
POLL_SECONDS = 0.02  # the processes are not children of this one, so nothing reports their end


@dataclass(frozen=True, slots=True)
class Mark:
    """A process, identified by its pid, the boot id and the time of its start. Unique across reboots."""

    pid: int
    started: str


def mark(pid: int) -> Mark | None:
    """Return the mark of a running process, or None if it has ended or is a zombie."""
    fields = _stat(pid)
    if not fields or fields[0] in "ZX":
        return None
    boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
    return Mark(pid, f"{boot}/{fields[19]}")


def is_alive(marked: Mark) -> bool:
    """Return whether this process still runs. A later process with the same pid does not count."""
    return mark(marked.pid) == marked


def save(path: Path, marked: Mark) -> None:
    """Record a process on disk, so that the next start can end it if it still runs."""
    path.write_text(f"{marked.pid} {marked.started}\n")


def load(path: Path) -> Mark | None:
    """Return the process recorded in the file, or None if the file is missing or incomplete."""
    try:
        pid, started = path.read_text().split()
        return Mark(int(pid), started)
    except (OSError, ValueError):
        return None


def inside(folder: Path, program: str) -> list[Mark]:
    """Return the processes that run `program` (a file name) with `folder` as working directory.

    This finds a database server, which runs in its data folder, even if its pid file is missing or wrong.
    """
    if not PROC.is_dir():
        return []
    pids = (int(entry.name) for entry in os.scandir(PROC) if entry.name.isdigit())
    marks = (mark(pid) for pid in pids if _link(pid, "cwd") == str(folder.resolve()))
    return [marked for marked in marks if marked and _program(marked.pid) == program]


async def end(find: Callable[[], list[Mark]], steps: Iterable[tuple[signal.Signals, float]]) -> bool:
    """End the processes that `find` returns: send each signal of `steps` and wait up to its seconds.

    Returns True when `find` returns nothing, False if processes are left after the last step.
    """
    if not find():
        return True
    for number, seconds in steps:
        for marked in _heads(find()):
            send(marked, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not find():
                return True
            await asyncio.sleep(POLL_SECONDS)
    return not find()


def send(marked: Mark, number: signal.Signals) -> None:
    """Send the signal to this process. Does nothing if it has ended, even if another process has its pid."""
    with contextlib.suppress(OSError):
        handle = os.pidfd_open(marked.pid)
        try:
            if is_alive(marked):
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def _heads(marks: list[Mark]) -> list[Mark]:
    """Return the processes whose parent is not in the list, such as a postmaster without its backends."""
    pids = {marked.pid for marked in marks}
    return [marked for marked in marks if _parent(marked.pid) not in pids]


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _stat(pid: int) -> list[str]:
    """Return /proc/<pid>/stat from its third field (the state). The second field, a name, may be any text."""
    try:
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _program(pid: int) -> str:
    return Path(_link(pid, "exe").removesuffix(" (deleted)")).name


def _link(pid: int, name: str) -> str:
    try:
        return str((PROC / str(pid) / name).readlink())
    except OSError:  # it has ended, or belongs to another user
        return ""
