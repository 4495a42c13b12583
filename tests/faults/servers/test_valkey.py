"""Break Valkey: empty, away, full, read-only; bells that are rung too often or are lost."""

import asyncio
import json

import pytest
from redis.asyncio import Redis

from tests.faults.harness import invariants
from tests.faults.harness.client import counts
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.effects import assert_once, effect_items
from tests.faults.harness.recovery import Record, recovered
from tests.faults.harness.workload import assert_everything, submit_everything

pytestmark = pytest.mark.asyncio(loop_scope="module")

FULL = {"maxmemory": "1"}
READ_ONLY = {"min-replicas-to-write": "1"}
HEALTHY = {"maxmemory": "0", "min-replicas-to-write": "0"}


async def _configure(redis: Redis, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        await redis.config_set(name, value)


def _work_of(body: bytes) -> bytes:
    """Return the task and the arguments of a bell."""
    bell = json.loads(body)
    return json.dumps([bell["f"], bell["a"]]).encode()


async def test_a_flush_at_any_time_loses_nothing(running: Cluster) -> None:
    client = await running.client()
    redis = Redis.from_url(running.redis_url)
    done = asyncio.Event()

    async def flush() -> None:
        while not done.is_set():
            await redis.flushall()
            await asyncio.sleep(0.1)  # this is the fault: every bell is lost

    flushing = asyncio.create_task(flush())
    await submit_everything(client)
    await client.all_ended(seconds=90)
    done.set()
    await flushing
    await redis.aclose()
    await invariants.hold(running)
    await assert_everything(running, client)


async def test_a_flush_lets_no_window_exceed_its_limit(running: Cluster) -> None:
    client = await running.client(item_limit=1_000, window_seconds=2)
    redis = Redis.from_url(running.redis_url)
    job = await client.submit(effect_items(range(4_000), "limited"))
    for applied in (1_000, 2_000, 3_000):
        await running.has_applied(job, applied)
        await redis.flushall()
    await redis.aclose()
    assert counts(await client.ended(job)) == {"created": 4_000}
    await invariants.hold(running)
    await assert_once(running, client, {"limited": 4_000})


@pytest.mark.parametrize("seconds", [6.0, pytest.param(60.0, marks=pytest.mark.long)])
async def test_work_goes_on_without_valkey(running: Cluster, seconds: float, record_property: Record) -> None:
    client, limited = await running.client(), await running.client(item_limit=1_000, window_seconds=60)
    job = await client.submit(effect_items(range(20_000), "before"))
    await running.has_applied(job, 1)
    async with running.valkey.away():
        waits = await limited.submit(effect_items(range(10), "waits"))
        await client.ended(job)
        await asyncio.sleep(seconds)  # this is the fault: it has a length; no turn lasts longer
        without = await client.submit(effect_items(range(20_000, 21_000), "without"))
        assert counts(await client.ended(without)) == {"created": 1_000}
        assert (await limited.job(waits))["finished_at"] is None  # its window cannot be asked
    await recovered(running, f"Valkey was away for {seconds:g} s (an account with a limit)", record_property)
    await limited.ended(waits)
    await invariants.hold(running)
    await assert_once(running, client, {"before": 20_000, "without": 1_000})


@pytest.mark.long
@pytest.mark.parametrize("settings", [FULL, READ_ONLY], ids=["full", "read-only"])
async def test_a_valkey_that_refuses_writes_loses_nothing(
    running: Cluster, settings: dict[str, str], record_property: Record
) -> None:
    client = await running.client()
    redis = Redis.from_url(running.redis_url)
    job = await client.submit(effect_items(range(30_000), "once"))
    await running.has_applied(job, 1)
    await _configure(redis, settings)
    try:
        during = await client.submit(effect_items(range(30_000, 30_100), "during"))
        await recovered(running, f"Valkey has {settings}, still", record_property)
        await asyncio.sleep(4)  # this is the fault: it has a length
    finally:
        await _configure(redis, HEALTHY)
        await redis.aclose()
    await client.ended(job)
    await client.ended(during)
    await invariants.hold(running)
    await assert_once(running, client, {"once": 30_000, "during": 100})


async def test_a_stopped_valkey_lets_no_request_too_many_pass(running: Cluster) -> None:
    client = await running.client(request_limit=5, window_seconds=2)
    await client.submit(effect_items(range(10), "before"))
    running.valkey.freeze()
    try:
        numbers = range(10, 120, 10)
        await asyncio.gather(
            *(client.submit(effect_items(range(number, number + 10), "during")) for number in numbers)
        )
    finally:
        running.valkey.thaw()
    await client.all_ended()
    await invariants.hold(running)
    await assert_once(running, client, {"before": 10, "during": 110})


async def test_each_bell_may_ring_a_hundred_times(running: Cluster) -> None:
    client = await running.client()
    redis = Redis.from_url(running.redis_url)
    done = asyncio.Event()

    async def repeat_bells() -> None:
        """Copy each bell a hundred times: one that asks for the same work is copied once."""
        known: set[bytes] = set()
        while not done.is_set():
            for bell in await redis.zrange("bulklane", 0, -1):
                body = await redis.get(b"arq:job:" + bell)
                if body and (work := _work_of(body)) not in known:
                    known.add(work)
                    for number in range(100):
                        await redis.set(b"arq:job:%b-%d" % (bell, number), body, ex=60)
                        await redis.zadd("bulklane", {b"%b-%d" % (bell, number): 1})
            await asyncio.sleep(0.01)

    repeating = asyncio.create_task(repeat_bells())
    await submit_everything(client)
    await client.all_ended(seconds=90)
    done.set()
    await repeating
    await redis.aclose()
    await invariants.hold(running)
    await assert_everything(running, client)
