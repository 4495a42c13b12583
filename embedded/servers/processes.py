"""Identifies processes by pid and start time, read from /proc on Linux.

A pid alone is not enough: the kernel gives it to a later program. On other systems no process is recognised,
so none is signalled.
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
POLL_SECONDS = 0.02  # the processes are not our children, so nothing reports their end


@dataclass(frozen=True, slots=True)
class Mark:
    """A process, identified by its pid, the boot and the clock tick of its start; unique across reboots."""

    pid: int
    started: str


def mark(pid: int) -> Mark | None:
    """Return the mark of a running process; None if it is gone or a zombie."""
    fields = _stat(pid)
    if not fields or fields[0] in "ZX":
        return None
    boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
    return Mark(pid, f"{boot}/{fields[19]}")


def is_alive(marked: Mark) -> bool:
    """Whether this process, not a later one with the same pid, still runs."""
    return mark(marked.pid) == marked


def save(path: Path, marked: Mark) -> None:
    """Record a process on disk, so that the next start can end it if it is left behind."""
    path.write_text(f"{marked.pid} {marked.started}\n")


def load(path: Path) -> Mark | None:
    """Return the process recorded in the file; None if there is no file or it is incomplete."""
    try:
        pid, started = path.read_text().split()
        return Mark(int(pid), started)
    except (OSError, ValueError):
        return None


def inside(folder: Path, program: str) -> list[Mark]:
    """Return the processes that run `program` (a file name) with `folder` as working directory.

    A database server runs in its data folder; its pid file may be missing or wrong.
    """
    if not PROC.is_dir():
        return []
    pids = (int(entry.name) for entry in os.scandir(PROC) if entry.name.isdigit())
    marks = (mark(pid) for pid in pids if _link(pid, "cwd") == str(folder.resolve()))
    return [one for one in marks if one and _program(one.pid) == program]


async def end(find: Callable[[], list[Mark]], steps: Iterable[tuple[signal.Signals, float]]) -> bool:
    """Send each signal to what `find` finds, and wait its seconds; True once `find` finds nothing."""
    if not find():
        return True
    for number, seconds in steps:
        for one in _heads(find()):
            send(one, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not find():
                return True
            await asyncio.sleep(POLL_SECONDS)
    return not find()


def send(marked: Mark, number: signal.Signals) -> None:
    """Send the signal to this process; does nothing if it is gone, also if another process has its pid."""
    with contextlib.suppress(OSError):
        handle = os.pidfd_open(marked.pid)
        try:
            if is_alive(marked):
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def _heads(marks: list[Mark]) -> list[Mark]:
    """Return the processes that none of the others started: a postmaster without its backends."""
    pids = {one.pid for one in marks}
    return [one for one in marks if _parent(one.pid) not in pids]


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _stat(pid: int) -> list[str]:
    """Return /proc/<pid>/stat from its third field (the state); the second, a name, may have any text."""
    try:
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _program(pid: int) -> str:
    return Path(_link(pid, "exe").removesuffix(" (deleted)")).name


def _link(pid: int, name: str) -> str:
    try:
        return str((PROC / str(pid) / name).readlink())
    except OSError:  # gone, or of another user
        return ""
