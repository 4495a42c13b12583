"""What a measurement cost: its time, and the processor time of each process."""

import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass

from bench.lab.results import Figures
from bench.lab.service import Service


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The time of `count` rows or jobs in seconds, and the processor time in seconds by role."""

    count: int
    seconds: float
    cpu: Mapping[str, float]

    @property
    def rate(self) -> float:
        """Rows or jobs a second."""
        return self.count / self.seconds

    @staticmethod
    def columns(costs: "Sequence[Cost]", roles: Sequence[str] = ("postgres", "worker", "api")) -> Figures:
        """Return a column for each role, for `Results.row`: the processor time of a row in microseconds."""
        return {f"{role}_us": [cost.micros(role) for cost in costs] for role in roles}

    def micros(self, role: str) -> float:
        """The processor time of one row or job in microseconds."""
        return self.cpu[role] / self.count * 1e6


async def cost_of(service: Service, count: int, work: Awaitable[float]) -> Cost:
    """Wait for work that returns its seconds. Return what it cost; `bench` is the role of this process."""
    before = service.cpu() | {"bench": time.process_time()}
    seconds = await work
    after = service.cpu() | {"bench": time.process_time()}
    return Cost(count=count, seconds=seconds, cpu={role: after[role] - before[role] for role in after})
