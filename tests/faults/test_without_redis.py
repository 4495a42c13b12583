"""Workers go on without Redis, whether it is dead, hangs, or refuses writes."""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from redis.asyncio import Redis

from tests.factories import contact
from tests.faults.harness import invariants
from tests.faults.harness.client import counts
from tests.faults.harness.cluster import Cluster, cluster

Outage = Callable[[Cluster], AbstractAsyncContextManager[None]]


def _dead(running: Cluster) -> AbstractAsyncContextManager[None]:
    return running.valkey.away()


@asynccontextmanager
async def _hanging(running: Cluster) -> AsyncIterator[None]:
    running.valkey.freeze()
    try:
        yield
    finally:
        running.valkey.thaw()


@asynccontextmanager
async def _out_of_memory(running: Cluster) -> AsyncIterator[None]:
    await _command(running, lambda redis: redis.config_set("maxmemory", 1))
    try:
        yield
    finally:
        await _command(running, lambda redis: redis.config_set("maxmemory", 0))


@asynccontextmanager
async def _read_only(running: Cluster) -> AsyncIterator[None]:
    await _command(running, lambda redis: redis.replicaof("127.0.0.1", 1))
    try:
        yield
    finally:
        await _command(running, lambda redis: redis.replicaof("NO", "ONE"))


async def _command(running: Cluster, send: Callable[["Redis"], Awaitable[object]]) -> None:
    async with Redis.from_url(running.redis_url) as redis:
        await send(redis)


@pytest.mark.parametrize("outage", [_dead, _hanging, _out_of_memory, _read_only])
async def test_work_goes_on_while_redis_is_away(outage: Outage) -> None:
    async with cluster(workers=1) as running:
        free, limited = await running.client(), await running.client(item_limit=100)
        pid = running.workers[0].pid
        async with outage(running):
            waiting = await limited.submit([contact(n) for n in range(10)])
            jobs = [
                await free.submit([contact(n) for n in range(start, start + 1_500)]) for start in (0, 999)
            ]
            assert [counts(await free.ended(job)) for job in jobs] == [
                {"created": 1_500},
                {"created": 999, "unchanged": 501},
            ]
            if outage is not _out_of_memory:  # there the window's script still runs
                assert counts(await limited.job(waiting)) == {"pending": 10}
        assert counts(await limited.ended(waiting)) == {"created": 10}
        assert running.workers[0].pid == pid
        await invariants.hold(running)


@pytest.mark.parametrize("outage", [_dead, _hanging])
async def test_a_worker_stops_at_once_while_redis_is_away(outage: Outage) -> None:
    async with cluster(workers=1) as running:
        client = await running.client()
        async with outage(running):
            await client.ended(await client.submit([contact(1)]))
            await running.workers[0].unwatch()
            await running.workers[0].end(signal.SIGTERM)
            assert await running.workers[0].child.wait() == 0
            assert "Traceback" not in running.workers[0].log


async def test_a_worker_outlives_postgresql_and_the_whole_outage() -> None:
    async with cluster(workers=1) as running:
        client = await running.client(item_limit=2_000, window_seconds=1)
        pid = running.workers[0].pid
        job = await client.submit([contact(n) for n in range(5_000)])
        await running.has_applied(job, 1_000)
        async with running.postgres.away(), running.valkey.away():
            pass
        assert counts(await client.ended(job)) == {"created": 5_000}
        assert running.workers[0].pid == pid
        await invariants.hold(running)
