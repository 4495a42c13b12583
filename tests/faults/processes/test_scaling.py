"""Start and stop workers and apis while they run: no item or request is lost, no attempt is burned."""

import asyncio
import signal

from tests.faults.harness import invariants
from tests.faults.harness.client import counts
from tests.faults.harness.cluster import cluster
from tests.faults.harness.effects import assert_once, effect_items, record_effects


async def test_the_number_of_workers_changes_while_they_run() -> None:
    async with cluster(workers=4) as running:
        await record_effects(running)
        client = await running.client()
        job = await client.submit(effect_items(range(60_000), "once"), query="?parallel=8")
        for workers, applied in ((1, 10_000), (8, 20_000), (2, 40_000)):
            await running.has_applied(job, applied)
            await running.scale(workers)
        assert counts(await client.ended(job)) == {"created": 60_000}
        await invariants.hold(running)
        await assert_once(running, client, {"once": 60_000})


async def test_a_rolling_restart_loses_no_request_and_burns_no_attempt() -> None:
    async with cluster(apis=2, workers=2) as running:
        await record_effects(running)
        client = await running.client()
        job = await client.submit(effect_items(range(40_000), "large"))
        await running.has_applied(job, 1)
        restarted = asyncio.Event()

        async def send_requests() -> int:
            """Send small jobs to both apis; each must be accepted at the first attempt that connects."""
            sent = 0
            while not restarted.is_set():
                first = 100_000 + 10 * sent
                await client.submit(effect_items(range(first, first + 10), "small"))
                sent += 1
            return sent

        sending = asyncio.create_task(send_requests())
        for part in (*running.workers, *running.apis):
            await part.end(signal.SIGTERM)
            await part.back()
        restarted.set()
        sent = await sending
        await client.all_ended()
        await invariants.hold(running)
        await assert_once(running, client, {"large": 40_000, "small": 10 * sent})
        assert await running.most_deaths(client) == 0, "an orderly stop was counted as the death of a chunk"
