"""What an api shows to Prometheus: its counters, its state, and the backlog of all accounts."""

import asyncio
import logging
from collections.abc import Iterable

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.core import Metric

from api.http.connections import Connections
from api.http.context import Api
from api.http.memory import Memory
from schemas import metrics
from storage.operator import backlog
from storage.operator.backlog import BacklogFigures
from storage.operator.process_state import ProcessState
from storage.postgres.db_errors import LOST_CONNECTION, is_ours
from storage.repeated_log import RepeatedLog

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 1.8  # Prometheus has its answer within two seconds, also while PostgreSQL is away
FRESH_SECONDS = 5.0  # several servers of Prometheus, or people, share what was read in this time
FAILED_SECONDS = 1.0  # they do not wait one after the other for a PostgreSQL that does not answer


class ProcessMetrics(ProcessState):
    """The metrics of one application."""

    def __init__(self, api: Api, connections: Connections, memory: Memory) -> None:
        super().__init__(api.ctx, "api")
        self._api = api
        self._connections = connections
        self._memory = memory
        self._backlog: BacklogFigures | None = None  # None: PostgreSQL did not answer
        self._fresh_until = float("-inf")
        self._reading = asyncio.Lock()
        self._repeated = RepeatedLog(logger)
        self._registry = metrics.registry_of("api", self)

    async def render(self) -> bytes:
        """Return all metrics as text."""
        await self._refresh()
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges of the process and of the backlog."""
        yield from super().collect()
        yield metrics.CONNECTIONS.value(len(self._connections))
        yield metrics.EVENT_STREAMS.value(self._api.feeds.streams)
        yield metrics.REQUEST_MEMORY.value(self._memory.held)
        found = None if self._ctx.pool.silent else self._backlog
        yield metrics.POSTGRES_UP.value(found is not None)
        if found is not None:
            yield from _families(found)

    async def _refresh(self) -> None:
        """Read the backlog, unless somebody did shortly before."""
        clock = asyncio.get_running_loop().time
        async with self._reading:
            if clock() >= self._fresh_until:
                # an api without requests would not notice that Redis is away, or back
                check = self._ctx.breaker.ask(self._ctx.queue.check)
                self._backlog, _ = await asyncio.gather(self._read(), check)
                self._fresh_until = clock() + (FRESH_SECONDS if self._backlog else FAILED_SECONDS)

    async def _read(self) -> BacklogFigures | None:
        if not self._api.schema_ready.is_set():
            return None
        try:
            return await asyncio.wait_for(backlog.read(self._ctx.pool), ANSWER_SECONDS)
        except LOST_CONNECTION:
            return None
        except Exception as error:
            kind = f"the backlog cannot be read for the metrics: {type(error).__name__}"
            self._repeated.log(logging.WARNING, kind, "%s: %s", kind, error, exc_info=is_ours(error))
            return None


PROCESS_METRICS = web.AppKey("process_metrics", ProcessMetrics)


def _families(found: BacklogFigures) -> Iterable[Metric]:
    yield metrics.UNFINISHED_JOBS.family(*((jobs, (state,)) for state, jobs in found.jobs.items()))
    yield metrics.OLDEST_WAITING.value(found.oldest_waiting_seconds)
    yield metrics.FAILING_JOBS.value(found.failing_jobs)
    yield metrics.THROTTLED_ACCOUNTS.value(found.throttled_accounts)
    yield metrics.DUE_WEBHOOKS.value(found.due_webhooks)
    yield metrics.OLDEST_DUE_DELIVERY.value(found.oldest_due_seconds)
    yield metrics.WORKERS.family((found.workers_alive, ("alive",)), (found.workers_silent, ("silent",)))
