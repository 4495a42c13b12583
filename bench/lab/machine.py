"""What the kernel says about processes: processor time and memory. Linux only."""

import os
from collections.abc import Iterable
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the processor time of processes and all their descendants, also of those that have ended."""
    return sum(map(_own_seconds, family(pids)))


def family(pids: Iterable[int]) -> set[int]:
    """Return processes and their living descendants."""
    parents = {
        int(path.name): _stat(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdigit()
    }
    found = set(pids)
    while grown := {pid for pid, stat in parents.items() if stat and int(stat[1]) in found} - found:
        found |= grown
    return found


def peak_bytes(pid: int) -> int:
    """Return the largest resident memory of a process since its start."""
    return _memory(pid, "VmHWM")


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    return _memory(pid, "VmRSS")


def load_average() -> float:
    """Return the load average of the last minute."""
    return os.getloadavg()[0]


def _memory(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"the kernel does not tell {name} of process {pid}")


def _own_seconds(pid: int) -> float:
    """Return the time of a process and of its children that have ended and were waited for."""
    stat = _stat(pid)
    return sum(map(int, stat[11:15])) / TICKS if stat else 0.0


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on, or nothing if the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
