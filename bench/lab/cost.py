"""What a measurement cost: its time, and the processor time of each process."""

import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass

from bench.lab.results import Figures
from bench.lab.service import Service

SERVICE = ("api", "worker", "postgres", "valkey")  # the roles of its processes


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The time of `count` rows or jobs in seconds, and the processor time in seconds by role.

    The role `bench` is this process.
    """

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
        columns: Figures = {f"{role}_us": [cost.micros(role) for cost in costs] for role in roles}
        return columns | {"all_us": [cost.all_micros for cost in costs]}

    @property
    def all_micros(self) -> float:
        """The processor time of one row or job in all processes of the service, in microseconds."""
        return sum(map(self.micros, SERVICE))

    def micros(self, role: str) -> float:
        """The processor time of one row or job in microseconds."""
        return self.cpu[role] / self.count * 1e6


class Meter:
    """Measures what a service costs from the making of the meter on."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._before = self._read()

    def cost(self, count: int, seconds: float) -> Cost:
        """Return the cost of `count` rows or jobs so far. Their time in seconds is measured by the caller."""
        now = self._read()
        return Cost(
            count=count,
            seconds=seconds,
            cpu={role: now[role] - before for role, before in self._before.items()},
        )

    def _read(self) -> dict[str, float]:
        return self._service.cpu() | {"bench": time.process_time()}


async def cost_of(service: Service, count: int, work: Awaitable[float]) -> Cost:
    """Wait for work that returns its seconds. Return what it cost."""
    meter = Meter(service)
    return meter.cost(count, await work)
