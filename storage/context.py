"""The context: the dependencies that api and worker pass to the functions they call."""

from dataclasses import dataclass, field

from schemas.ids import WorkerId
from schemas.settings import Settings
from storage.breaker import Breaker
from storage.pipeline.chunks import Lease
from storage.postgres.pool import Pool
from storage.queue import Queue
from storage.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Pool, queue, window and settings of one process. `worker_id` identifies the process on its leases."""

    pool: Pool
    queue: Queue
    window: Window
    settings: Settings
    worker_id: WorkerId
    # The claims that this worker is applying. Only these are renewed: the lease of a claim must expire if the
    # connection broke before the worker read the claim.
    held: set[Lease] = field(default_factory=set)

    @property
    def breaker(self) -> Breaker:
        """The guard of every call to Redis."""
        return self.queue.breaker
