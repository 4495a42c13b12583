"""Stop processes with SIGSTOP and continue them: the fence stops a stale worker, and work goes on."""

import asyncio
import os
import signal

import pytest

from tests.factories import contact
from tests.faults.harness import invariants
from tests.faults.harness.client import counts
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.effects import assert_once, effect_items, names_of
from tests.faults.harness.recovery import Record, recovered
from tests.faults.harness.workload import SAME, submit_out_of_order

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = pytest.mark.long
STEPS = (
    "apply.before_commit",
    pytest.param("apply.after_copy", marks=LONG),
    pytest.param("claim.committed", marks=LONG),
)


@pytest.mark.parametrize("step", STEPS)
async def test_a_worker_stopped_past_its_lease_changes_nothing(running: Cluster, step: str) -> None:
    client = await running.client()
    running.steps.arm(step, "stop")
    job = await client.submit(effect_items(range(3_000), "first"))
    pid = await running.steps.stopped_at(step)
    assert counts(await client.ended(job)) == {"created": 3_000}  # by the other worker
    later = await client.submit(contact(number, name="second") for number in range(3_000))
    await client.ended(later)
    os.kill(pid, signal.SIGCONT)
    last = await client.submit(contact(number, name="third") for number in range(10))
    await client.ended(last)
    await invariants.hold(running)
    await assert_once(running, client, {"first": 3_000})
    assert await names_of(running, client) == {"second": 2_990, "third": 10}


@pytest.mark.parametrize("step", ["finish.before_commit", "settle.before_commit"])
async def test_a_finish_stopped_past_its_lease_ends_the_job_once(running: Cluster, step: str) -> None:
    client = await running.client()
    job = await submit_out_of_order(running, client, step, "stop")
    pid = await running.steps.stopped_at(step)
    told = await client.ended(job)  # by the other worker
    later = await client.submit(contact(number, name="later") for number in SAME[:10])
    await client.ended(later)
    os.kill(pid, signal.SIGCONT)
    await client.ended(await client.submit(contact(number, name="last") for number in SAME[:5]))
    assert await client.job(job) == told
    await invariants.hold(running)
    assert await names_of(running, client) == {"late": len(SAME) - 10, "later": 5, "last": 5}


@pytest.mark.parametrize("seconds", [3.0, pytest.param(20.0, marks=LONG)])
@pytest.mark.parametrize("part", ["postgres", "valkey"])
async def test_a_stopped_server_loses_nothing(
    running: Cluster, part: str, seconds: float, record_property: Record
) -> None:
    client = await running.client()
    job = await client.submit(effect_items(range(40_000), "once"))
    await running.has_applied(job, 1)
    server = running.postgres if part == "postgres" else running.valkey
    server.freeze()
    during = asyncio.create_task(client.submit(contact(number, name="during") for number in range(10)))
    await asyncio.sleep(seconds)  # this is the fault: it has a length
    server.thaw()
    await recovered(running, f"SIGSTOP of {part} for {seconds:g} s", record_property)
    await client.ended(await during)
    await client.ended(job)
    await invariants.hold(running)
    await assert_once(running, client, {"once": 40_000})
    assert await running.most_deaths(client) == 0, "a stopped server was counted as the death of a chunk"
