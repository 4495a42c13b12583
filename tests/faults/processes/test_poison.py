"""An item that kills its worker fails alone: its neighbours are applied."""

import asyncio

import pytest

from tests.factories import contact
from tests.faults.harness import invariants
from tests.faults.harness.client import counts
from tests.faults.harness.cluster import Cluster, cluster
from tests.faults.harness.effects import assert_once, effect_items, record_effects
from tests.waiting import until

SIZE = 8  # of the chunk; each halving costs a worker


async def _expire_leases_of_the_dead(running: Cluster) -> None:
    """End the lease of the only worker as soon as it is dead, because each would last six seconds."""
    (worker,) = running.workers
    while True:
        await worker.child.wait()
        await running.sql("UPDATE chunks SET lease_until = now() - interval '1 s' WHERE state = 'running'")
        await until(worker.child.is_ready)


@pytest.mark.long
async def test_an_item_that_kills_its_worker_fails_alone() -> None:
    async with cluster(workers=1) as running:
        await record_effects(running)
        client = await running.client()
        running.steps.arm("prepare.item", "kill if poison")
        items = [*effect_items(range(SIZE), "good")]
        items[5] = contact(5, name="poison")
        expiring = asyncio.create_task(_expire_leases_of_the_dead(running))
        job = await client.ended(await client.submit(items), seconds=110)
        expiring.cancel()
        assert counts(job) == {"created": SIZE - 1, "failed": 1}
        (error,) = job["errors"]
        assert (error["index"], error["code"]) == (5, "processing_failed")
        running.steps.disarm()
        assert counts(await client.ended(await client.submit(effect_items(range(100, 200), "later")))) == {
            "created": 100
        }
        await invariants.hold(running)
        await assert_once(running, client, {"good": SIZE - 1, "later": 100})
