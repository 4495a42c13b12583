"""Arm failpoints, and see which process has taken one."""

import asyncio
from pathlib import Path

from tests.faults.harness.parts import stopped
from tests.waiting import CHECK_SECONDS

TAKEN_SECONDS = 30.0


class Steps:
    """The failpoints of the processes of a cluster; see `storage.failpoints` for the actions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def arm(self, step: str, action: str) -> None:
        """Have the next process that reaches the step do the action."""
        for taken in self.folder.glob(f"{step}.[0-9]*"):
            taken.unlink()
        written = self.folder / "being-written"
        written.write_text(action)
        written.rename(self.folder / step)  # a process sees the whole action or none

    async def taken(self, step: str, *, seconds: float = TAKEN_SECONDS) -> int:
        """Wait until a process has taken the step; return its pid. After `stop`, the process is stopped."""
        async with asyncio.timeout(seconds):
            while not (found := list(self.folder.glob(f"{step}.[0-9]*"))):  # noqa: ASYNC110
                await asyncio.sleep(CHECK_SECONDS)
        return int(found[0].name.rpartition(".")[2])

    async def stopped_at(self, step: str, *, seconds: float = TAKEN_SECONDS) -> int:
        """Wait until a process has stopped at a step that is armed with `stop`; return its pid."""
        pid = await self.taken(step, seconds=seconds)
        async with asyncio.timeout(seconds):
            while not stopped(pid):  # noqa: ASYNC110
                await asyncio.sleep(CHECK_SECONDS)
        return pid

    def disarm(self) -> None:
        """Disarm all failpoints."""
        for armed in self.folder.iterdir():
            armed.unlink(missing_ok=True)
