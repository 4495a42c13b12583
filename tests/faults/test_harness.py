"""The harness itself: it runs, breaks and heals a cluster, and leaves nothing behind."""

from embedded.servers import processes
from tests.faults.harness import invariants
from tests.faults.harness.client import counts
from tests.faults.harness.cluster import cluster
from tests.faults.harness.effects import assert_once, effect_items, record_effects


async def test_a_cluster_runs_is_broken_heals_and_leaves_nothing() -> None:
    async with cluster(proxied=True) as running:
        await record_effects(running)
        client = await running.client()
        running.steps.arm("no.such.step", "kill")
        job = await client.submit(effect_items(range(3_000), "first"))
        await running.workers[0].kill()
        running.workers[1].freeze()
        await running.heal()
        assert counts(await client.ended(job)) == {"created": 3_000}
        await invariants.hold(running)
        await assert_once(running, client, {"first": 3_000})
        marks = [processes.mark(part.pid) for part in running.parts if part.pid]
        folder = running.home.path
    assert len(marks) == 5
    assert not [mark for mark in marks if mark and processes.is_alive(mark)]
    assert folder not in folder.parent.iterdir()
