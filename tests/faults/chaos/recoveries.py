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
ANSWER_SECONDS = 900.0
RUNNING = "SELECT token FROM chunks WHERE state = 'running'"


class Recoveries:
    """Measures recoveries: from the moment when the last fault is over, until

    - something is completed, and
    - no chunk is still held by a claim that was running at that moment: a dead worker has been replaced.

    `probe` sends small jobs all the time, so that there is work.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.found: list[tuple[float, str]] = []
        self._cluster = cluster
        self._active: set[str] = set()
        self._over: set[str] = set()  # faults that are over, and whose recovery is not
        self._since = 0.0  # the end of the last fault
        self._claims: set[int] | None = None  # that were running then
        self._completed = 0  # then
        self._closing = False

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """Take the body for a fault: recovery is counted from its end."""
        self._active.add(name)
        try:
            yield
        finally:
            self._active.discard(name)
            self._over.add(name)
            self._since = asyncio.get_running_loop().time()
            self._claims = None

    def close(self) -> None:
        """Let `watch` and `probe` return."""
        self._closing = True

    async def watch(self) -> None:
        """Look again and again, and note the recoveries."""
        while not self._closing:
            if self._over and not self._active:
                await self._look()
            await asyncio.sleep(LOOK_SECONDS)

    async def probe(self, client: PatientClient) -> None:
        """Submit small jobs, one after the other."""
        for number in count():
            if self._closing:
                return
            await client.submit([contact(number % 1_000)], key=uuid4().hex, seconds=ANSWER_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        since = self._since
        rows = await look(self._cluster.sql(RUNNING))
        completed = await look(progress(self._cluster))
        if rows is None or completed is None or self._active or since != self._since:
            return
        running = {row["token"] for row in rows}
        if self._claims is None:
            self._claims, self._completed = running, completed
        elif completed > self._completed and not self._claims & running:
            self.found.append((asyncio.get_running_loop().time() - since, ", ".join(sorted(self._over))))
            self._over.clear()
