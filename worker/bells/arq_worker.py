"""An arq worker that is woken when a bell is rung, and that has slots for each kind of bell."""

import asyncio
import time
from typing import Any

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

    async def _poll_iteration(self) -> None:
        """Start the bells for which this worker has a slot, and wait for the next ones.

        This takes one call to Redis in place of arq's one and five for each bell, which it makes in series.
        """
        if self.allow_pick_jobs:
            await self._start_bells()
        for bell, task in list(self.tasks.items()):
            if task.done():
                del self.tasks[bell]
                task.result()  # raises an error of Redis
        await self.heart_beat()

    async def _start_bells(self) -> None:
        self._slot_freed.clear()
        taken = await self._queue.take_bells(
            most=self.max_jobs - self.job_counter,
            turns=self._turns - self._busy_turns(),
            read=self.queue_read_limit,
            seconds=self.in_progress_timeout_s,
        )
        self._waits = taken.waits
        for bell, at in taken.bells:
            await self.sem.acquire()  # arq releases it, and counts down, when the task is done
            self.job_counter += 1
            self.tasks[bell] = task = asyncio.create_task(self.run_job(bell, at))
            task.add_done_callback(self._end_bell)

    def _end_bell(self, _: "asyncio.Task[None]") -> None:
        self._release_sem_dec_counter_on_complete()
        self._slot_freed.set()

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

    def _busy_turns(self) -> int:
        return sum(bell.startswith(WORK) and not task.done() for bell, task in self.tasks.items())
