"""Rotate and follow the log files of the processes."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.markup import escape

LARGE_BYTES = 8 * 1024**2  # a larger log is rotated at the next start
POLL_SECONDS = 0.1
READ_BYTES = 64 * 1024


def rotate(folder: Path) -> None:
    """Rotate large logs. One older log per process is kept."""
    for log in folder.glob("*.log"):
        if log.stat().st_size > LARGE_BYTES:
            log.replace(log.with_name(f"{log.name}.1"))


async def follow(log: Path, show: Callable[[str], None]) -> None:
    """Call `show` with every line that is written from now on. Never returns."""
    with _at_end(log) as file:
        rest = b""
        while True:
            *lines, rest = (rest + file.read(READ_BYTES)).split(b"\n")
            for line in lines:
                show(line.decode(errors="replace"))
            await asyncio.sleep(0 if lines else POLL_SECONDS)


class Prefixed:
    """Prints the lines of a log, prefixed with the name of its process."""

    def __init__(self, console: Console, name: str) -> None:
        self._console = console
        self._name = name

    def __call__(self, line: str) -> None:
        self._console.print(f"[cyan]{self._name:>8}[/cyan] {escape(line)}", soft_wrap=True, highlight=False)


def _at_end(log: Path) -> BinaryIO:
    log.touch(mode=0o600)
    file = log.open("rb")
    file.seek(0, os.SEEK_END)
    return file
