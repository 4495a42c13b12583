"""The context: the dependencies that api and worker pass to the functions they call."""

import asyncio
import logging
from dataclasses import dataclass, field

from schemas.ids import WorkerId
from schemas.settings import Settings
from storage.announcements import Announcer
from storage.breaker import Breaker
from storage.postgres.pool import WatchedPool
from storage.queue import Queue
from storage.repeated_log import RepeatedLog
from storage.slots import Slots
from storage.windows.window import Window

UNLIMITED = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Pool, queue, window and settings of one process. `worker_id` identifies the process on its leases."""

    pool: WatchedPool
    queue: Queue
    announcer: Announcer
    window: Window
    settings: Settings
    worker_id: WorkerId
    # The tokens of the claims that this worker has sent or is applying. Only these are renewed. A chunk with
    # another token is disowned: the connection broke before the worker read the claim, or released it.
    held: set[int] = field(default_factory=set)
    # The turns of this worker: bells, those of an earlier connection to Redis, and polling share them.
    turn_slots: Slots = field(default_factory=lambda: Slots(UNLIMITED, places=UNLIMITED))
    # the steps of single jobs: split and finish
    job_slots: Slots = field(default_factory=lambda: Slots(UNLIMITED, places=UNLIMITED))
    # set when deliveries to webhooks may wait; a worker also looks for them every second
    webhook_bell: asyncio.Event = field(default_factory=asyncio.Event)
    # Logs errors that may occur for every chunk.
    repeated: RepeatedLog = field(default_factory=lambda: RepeatedLog(logging.getLogger("worker")))

    @property
    def breaker(self) -> Breaker:
        """The guard of every call to Redis."""
        return self.queue.breaker
