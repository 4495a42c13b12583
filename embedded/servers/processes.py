"""Which process a pid really is, read from Linux's /proc.

A pid alone says little: the kernel gives it to the next program. Elsewhere than on Linux nothing is ever
recognised, and so nothing is ever touched.
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
POLL_SECONDS = 0.02  # an ending process cannot tell us: it is not our child


@dataclass(frozen=True, slots=True)
class Mark:
    """A process for ever: its pid with the boot and the clock tick at which it started."""

    pid: int
    started: str


def mark(pid: int) -> Mark | None:
    """The mark of a living process; None for one that is gone or only waits to be reaped."""
    fields = _stat(pid)
    if not fields or fields[0] in "ZX":
        return None
    boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
    return Mark(pid, f"{boot}/{fields[19]}")


def is_alive(marked: Mark) -> bool:
    """Whether that very process, and not a later one with its pid, still runs."""
    return mark(marked.pid) == marked


def save(path: Path, marked: Mark) -> None:
    """Remember a process for the next start, which ends it should it be left behind."""
    path.write_text(f"{marked.pid} {marked.started}\n")


def load(path: Path) -> Mark | None:
    """The process remembered in the file; None without one, or when it was only half written."""
    try:
        pid, started = path.read_text().split()
        return Mark(int(pid), started)
    except (OSError, ValueError):
        return None


def inside(folder: Path, program: str) -> list[Mark]:
    """The processes that run `program` (a file name) with `folder` as their working directory.

    A database server lives in its data folder, whatever its pid file says or no longer says.
    """
    if not PROC.is_dir():
        return []
    pids = (int(entry.name) for entry in os.scandir(PROC) if entry.name.isdigit())
    marks = (mark(pid) for pid in pids if _link(pid, "cwd") == str(folder.resolve()))
    return [one for one in marks if one and _program(one.pid) == program]


async def end(find: Callable[[], list[Mark]], steps: Iterable[tuple[signal.Signals, float]]) -> bool:
    """Signal what `find` finds, firmer with each (signal, seconds to wait); True once it finds nothing."""
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
    """Signal that very process; nothing happens when it is gone, even if its pid is another's by now."""
    with contextlib.suppress(OSError):
        handle = os.pidfd_open(marked.pid)
        try:
            if is_alive(marked):
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def _heads(marks: list[Mark]) -> list[Mark]:
    """Those that no other of them started: a postmaster without its backends."""
    pids = {one.pid for one in marks}
    return [one for one in marks if _parent(one.pid) not in pids]


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _stat(pid: int) -> list[str]:
    """/proc/<pid>/stat from its third field (the state) on; the second, a name, may hold anything."""
    try:
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _program(pid: int) -> str:
    return Path(_link(pid, "exe").removesuffix(" (deleted)")).name


def _link(pid: int, name: str) -> str:
    try:
        return str((PROC / str(pid) / name).readlink())
    except OSError:  # gone, or another user's
        return ""
