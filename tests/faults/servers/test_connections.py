"""Break the connections between processes: cut, half-open, slow, and a COMMIT whose reply is lost."""

import asyncio
import os
import signal

import pytest

from tests.faults.harness import invariants
from tests.faults.harness.client import counts
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.effects import assert_once, effect_items
from tests.faults.harness.recovery import Record, recovered
from tests.faults.harness.workload import assert_everything, submit_everything

pytestmark = pytest.mark.asyncio(loop_scope="module")

COMMITS = (
    "accept.before_commit",
    "apply.before_commit",
    "finish.before_commit",
    "split.before_commit",
    "cancel.before_commit",
)


@pytest.mark.parametrize(
    "step", [COMMITS[0], COMMITS[1], *(pytest.param(step, marks=pytest.mark.long) for step in COMMITS[2:])]
)
async def test_a_lost_reply_to_commit_loses_nothing(running: Cluster, step: str) -> None:
    client = await running.client()
    running.steps.arm(step, "stop")
    work = asyncio.create_task(submit_everything(client))
    pid = await running.steps.stopped_at(step)
    database, _ = running.proxies[running.part_of(pid).child.name]
    lost = database.lose_next_commit()
    os.kill(pid, signal.SIGCONT)
    await work
    await client.all_ended()
    assert lost.is_set()
    await invariants.hold(running)
    await assert_everything(running, client)


async def test_a_lost_202_is_the_same_job_for_the_same_key(running: Cluster) -> None:
    client = await running.client()
    api = running.apis[0]
    running.steps.arm("accept.after_commit", "kill")
    job = await client.submit(effect_items(range(100), "once"), key="the key")
    await api.back()
    assert await client.submit(effect_items(range(100), "once"), key="the key") == job
    assert counts(await client.ended(job)) == {"created": 100}
    await invariants.hold(running)
    await assert_once(running, client, {"once": 100})
    (row,) = await running.sql(
        "SELECT count(*) AS n FROM jobs WHERE account_id = $1 AND accepted_at IS NOT NULL", client.account_id
    )
    assert row["n"] == 1


@pytest.mark.parametrize("fault", ["cut", "half-open", pytest.param("slow", marks=pytest.mark.long)])
@pytest.mark.parametrize("server", ["postgres", "valkey"])
async def test_broken_connections_lose_nothing(
    running: Cluster, server: str, fault: str, record_property: Record
) -> None:
    client = await running.client()
    job = await client.submit(effect_items(range(30_000), "once"))
    await running.has_applied(job, 1)
    chosen = [proxies[server == "valkey"] for proxies in running.proxies.values()]
    for proxy in chosen:
        match fault:
            case "cut":
                proxy.cut()
            case "half-open":
                proxy.silent = True
            case "slow":
                proxy.delay_seconds = 0.05
    during = asyncio.create_task(client.submit(effect_items(range(30_000, 30_100), "during")))
    await asyncio.sleep(2)  # this is the fault: it has a length
    for proxy in chosen:
        proxy.behave()
        if fault == "half-open":  # the bytes are lost, so these connections are of no use
            proxy.cut()
    await recovered(running, f"connections to {server} {fault} for 2 s", record_property)
    await client.ended(await during)
    await client.ended(job)
    await invariants.hold(running)
    await assert_once(running, client, {"once": 30_000, "during": 100})
