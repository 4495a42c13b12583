"""Which fault comes when: drawn from the seed, so the schedule of a run can be repeated."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.faults.chaos import breaking, disturbing
from tests.faults.chaos.breaking import Fault

MEAN_SECONDS = 2.5  # between the begins of two faults
MOST_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault. Two faults of one `target` do not overlap; an empty target overlaps with none."""

    fault: Fault
    target: str
    weight: int = 2

    @property
    def name(self) -> str:
        """The name in the report."""
        return self.fault.__name__.replace("_", " ")


KINDS = (
    Kind(breaking.kill_worker, "worker", 4),
    Kind(breaking.kill_api, "api", 3),
    Kind(breaking.kill_valkey, "valkey"),
    Kind(breaking.kill_postgres, "postgres"),
    Kind(breaking.kill_all, "", 1),
    Kind(breaking.restart_workers, "worker", 1),
    Kind(breaking.restart_api, "api", 1),
    Kind(breaking.stop_worker, "worker", 3),
    Kind(breaking.stop_api, "api"),
    Kind(breaking.stop_postgres, "postgres"),
    Kind(breaking.stop_valkey, "valkey"),
    Kind(breaking.valkey_away, "valkey"),
    Kind(breaking.kill_backend, "postgres", 3),
    Kind(breaking.terminate_backend, "postgres"),
    Kind(breaking.cut_connections, "network"),
    Kind(breaking.lose_commit, "network", 4),
    Kind(breaking.half_open, "network"),
    Kind(breaking.slow_network, "network"),
    Kind(breaking.failpoint, "failpoint", 12),
    Kind(disturbing.flush, "valkey"),
    Kind(disturbing.lose_bells, "valkey"),
    Kind(disturbing.ring_bells, "valkey", 1),
    Kind(disturbing.cut_upload, "client", 3),
    Kind(disturbing.out_of_memory, "valkey"),
    Kind(disturbing.read_only_redis, "valkey"),
    Kind(disturbing.scale, "worker", 1),
    Kind(disturbing.change_limit, "postgres"),
    Kind(disturbing.step_clock_of_postgres, "postgres"),
    Kind(disturbing.read_only_postgres, "postgres"),
    Kind(disturbing.too_many_connections, "postgres"),
)
TARGETS = sorted({kind.target for kind in KINDS if kind.target})


class Schedule:
    """Draws faults, and keeps those of one target apart."""

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)
        self.slots = asyncio.Semaphore(MOST_AT_ONCE)
        self._locks = {target: asyncio.Lock() for target in TARGETS}

    def draw(self) -> tuple[Kind, random.Random, float]:
        """Return the next fault, its own generator, and the seconds to wait before it."""
        kind = self.rng.choices(KINDS, [kind.weight for kind in KINDS])[0]
        return kind, random.Random(self.rng.random()), self.rng.expovariate(1 / MEAN_SECONDS)

    @asynccontextmanager
    async def alone(self, kind: Kind) -> AsyncIterator[None]:
        """Wait until no fault of the target is going on."""
        names = [kind.target] if kind.target else TARGETS
        async with self.slots:
            for name in names:
                await self._locks[name].acquire()
            try:
                yield
            finally:
                for name in names:
                    self._locks[name].release()
