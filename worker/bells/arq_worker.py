"""An arq worker that is woken when a bell is rung, and that has slots for each kind of bell."""

import asyncio
import time
from typing import Any

from arq.constants import in_progress_key_prefix
from arq.worker import Worker

from storage.background import cancel
from storage.queue import WORK, Queue

REST_SECONDS = 1.0  # maximum delay of a bell if the ring that wakes a worker is lost
SHORTEST_REST = 0.01


class BellWorker(Worker):
    """Serves bells within milliseconds. It serves at most `turns` bells for work at once.

    arq looks into its queue at intervals. This worker looks as soon as a bell is rung, and rarely otherwise.
    Bells of single jobs (split, finish, dry run) go first and have slots of their own, so they never wait for
    turns.
    """

    def __init__(self, *, turns: int, **options: Any) -> None:
        super().__init__(**options, poll_delay=0)
        self._turns = turns
        self._queue = Queue(self.pool)
        self._waits = False  # a bell waits for a slot of this worker
        self._slot_freed = asyncio.Event()
        # before the last look into the queue: what is due since then, it may have missed
        self._looked_at = 0.0
        self._ring: asyncio.Task[bool] | None = None  # waits in Redis for the next ring

    async def main(self) -> None:
        """Serve bells until cancelled. Raises an error of `breaker.LOST_REDIS`."""
        try:
            await super().main()
        finally:
            if self._ring is not None:
                await cancel(self._ring)
                if not self._ring.cancelled():
                    self._ring.exception()  # read, so that asyncio does not log it

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        """Start the bells for which this worker has a slot."""
        self._slot_freed.clear()
        waiting = await self._waiting([job_id.decode() for job_id in job_ids])
        waiting.sort(key=_is_work)  # stable: the oldest first
        self._waits = False
        for bell in waiting:
            if self.job_counter >= self.max_jobs or (_is_work(bell) and self._busy_turns() >= self._turns):
                self._waits = True
                return
            await super().start_jobs([bell.encode()])
            if task := self.tasks.get(bell):
                task.add_done_callback(lambda _: self._slot_freed.set())

    async def heart_beat(self) -> None:
        """Do what arq does between two looks into the queue, and wait until a bell is rung."""
        await super().heart_beat()
        rung = self._take_ring()
        if self._waits:
            if rung:
                await self._queue.pass_ring_on()  # to a worker that has a free slot
            await self._wait_for_slot()
        else:
            await self._rest(await self._queue.next_bell(self._looked_at) - time.time())
        self._looked_at = time.time()

    async def _wait_for_slot(self) -> None:
        """Wait until a slot is free, or until a bell is rung that this worker may have to pass on."""
        slot = asyncio.create_task(self._slot_freed.wait())
        try:
            waits = {slot, self._ring} if self._ring else {slot}
            await asyncio.wait(waits, timeout=REST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            slot.cancel()

    async def _rest(self, seconds: float) -> None:
        """Wait until a bell is rung, or for a time.

        The time is measured here, because Redis ends a wait up to 0.1 s late. The wait in Redis goes on
        through several rests, because a wait that is cancelled can lose a ring.
        """
        if self._ring is None:
            self._ring = asyncio.create_task(self._queue.wait_for_ring(REST_SECONDS))
        await asyncio.wait({self._ring}, timeout=max(SHORTEST_REST, min(REST_SECONDS, seconds)))

    def _take_ring(self) -> bool:
        """Return whether a bell was rung since the last call. Raises an error of `breaker.LOST_REDIS`."""
        if self._ring is None or not self._ring.done():
            return False
        ring, self._ring = self._ring, None
        return ring.result()

    async def _waiting(self, bells: list[str]) -> list[str]:
        """Return the bells that nobody serves. arq asks for each of them, too, but for one at a time."""
        if not bells:
            return []
        served = await self.pool.mget([in_progress_key_prefix + bell for bell in bells])
        return [bell for bell, mark in zip(bells, served, strict=True) if mark is None]

    def _busy_turns(self) -> int:
        return sum(_is_work(bell) and not task.done() for bell, task in self.tasks.items())


def _is_work(bell: str) -> bool:
    return bell.startswith(WORK)
