"""What both roles of a process show of their state: the pool of connections, and whether Redis responds."""

from collections.abc import Iterable

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from schemas import metrics
from storage.context import Context


class ProcessState(Collector):
    """Reads the state of a process whenever its metrics are asked for, also from another thread."""

    def __init__(self, ctx: Context, role: str) -> None:
        self._ctx = ctx
        self._role = role

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges of the process."""
        pool = self._ctx.pool
        size, idle = pool.get_size(), pool.get_idle_size()
        yield metrics.build_of(self._role)
        yield metrics.POOL_MOST.value(pool.get_max_size())
        yield metrics.POOL_OPEN.family((idle, ("idle",)), (size - idle, ("in_use",)))
        yield metrics.POOL_WAITING.value(pool.waiting)
        yield metrics.REDIS_UP.value(self._ctx.breaker.closed)
