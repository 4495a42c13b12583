"""Measure how long the work of a cluster takes to continue after faults, some of which overlap."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from uuid import uuid4

from tests.factories import contact
from tests.faults.chaos.looking import look
from tests.faults.harness.client import PatientClient
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.recovery import progress

LOOK_SECONDS = 0.1
ANSWER_SECONDS = 180.0


class Recoveries:
    """Watches the progress of all jobs. `probe` sends small jobs all the time, so that there is work."""

    def __init__(self, cluster: Cluster) -> None:
        self.found: list[tuple[float, str]] = []
        self._cluster = cluster
        self._active: set[str] = set()
        self._back: dict[str, float] = {}  # faults that are over, with the time
        self._closing = False

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """Take the body for a fault: recovery is counted from its end."""
        self._active.add(name)
        try:
            yield
        finally:
            self._active.discard(name)
            self._back[name] = asyncio.get_running_loop().time()

    def close(self) -> None:
        """Let `watch` and `probe` return."""
        self._closing = True

    async def watch(self) -> None:
        """Look for progress, and note the recovery of the faults that are over."""
        clock = asyncio.get_running_loop().time
        before = -1
        while not self._closing:
            began = clock()
            now = await look(progress(self._cluster))
            if now is not None and now > before:
                before = now
                self._note(began)
            await asyncio.sleep(LOOK_SECONDS)

    async def probe(self, client: PatientClient) -> None:
        """Submit small jobs, one after the other."""
        for number in count():
            if self._closing:
                return
            await client.submit([contact(number % 1_000)], key=uuid4().hex, seconds=ANSWER_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)

    def _note(self, seen: float) -> None:
        """Note progress that was seen in a look that began at `seen`. While a fault acts nothing is noted."""
        if self._active or not self._back:
            return
        last = max(self._back.values())
        if seen > last:
            name = ", ".join(sorted(self._back))
            self.found.append((seen - last, name))
            self._back.clear()
