"""Kill processes with SIGKILL, at every step and in the middle of work: nothing is lost or applied twice."""

import asyncio
import re

import pytest

from schemas.ids import AccountId
from storage.deletion import account_deletion
from storage.deletion.erasures import STEPS as STEPS_OF_ERASURES
from storage.deletion.erasures import ErasureStep
from storage.deletion.owned_rows import OWNED
from storage.entities import accounts
from storage.postgres.pool import Conn
from tests.faults.harness import invariants
from tests.faults.harness.client import PatientClient, counts
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.effects import assert_once, effect_items, names_of
from tests.faults.harness.hearing import hearing
from tests.faults.harness.recovery import Record, recovered
from tests.faults.harness.traces import ERASED, PLACES, SECRETS, TRACES, data_of, leave_traces
from tests.faults.harness.workload import SAME, assert_everything, submit_everything, submit_out_of_order
from tests.house.source import all_sources
from tests.integration.api.owned import said_of
from tests.steps import OF_CHUNKS
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

STEPS = (
    "part.stored",
    "accept.before_commit",
    "accept.after_commit",
    *OF_CHUNKS,
    "split.before_commit",
    "reconcile.before_commit",
    "dry_run.recorded",
    "cancel.before_commit",
)
WITH_THEIR_OWN_TESTS = {
    "settle.before_commit",
    "prepare.item",
    "upload.piece",
    "upload.attempt",
    "webhook.sent",
    "deletion.batch",
    "erasure.step",
}


async def test_every_step_of_the_source_is_killed_at() -> None:
    text = "".join(source.text for source in all_sources())
    steps = set(re.findall(r'reach\("([a-z_.]+)"', text))
    assert steps == {*STEPS, *WITH_THEIR_OWN_TESTS}


async def test_a_kill_at_every_step_loses_nothing(running: Cluster) -> None:
    client = await running.client()
    for step in STEPS:
        running.steps.arm(step, "kill")
    async with hearing(running, client) as ears:
        await submit_everything(client)
        await client.all_ended(seconds=90)
        for step in STEPS:
            await running.steps.taken(step, seconds=5)
        await ears.hold()
    await invariants.hold(running)
    await assert_everything(running, client)


@pytest.mark.long
@pytest.mark.parametrize("step", STEPS)
async def test_a_kill_at_one_step_loses_nothing(running: Cluster, step: str) -> None:
    client = await running.client()
    running.steps.arm(step, "kill")
    if step == "reconcile.before_commit":  # reached only if a dead worker has left a lease
        running.steps.arm("apply.after_copy", "kill")
    await submit_everything(client)
    await running.steps.taken(step)
    await client.all_ended(seconds=90)
    await invariants.hold(running)
    await assert_everything(running, client)


async def test_a_kill_in_settle_loses_nothing(running: Cluster) -> None:
    client = await running.client()
    job = await submit_out_of_order(running, client, "settle.before_commit", "kill")
    await running.steps.taken("settle.before_commit")
    ended = await client.ended(job)
    assert sum(counts(ended).values()) == 3 * len(SAME)
    await invariants.hold(running)
    assert await names_of(running, client) == {"late": len(SAME)}


async def test_an_account_is_deleted_although_its_workers_are_killed(running: Cluster) -> None:
    client = await running.client()
    job = await client.submit(effect_items(range(20_000), "gone"))
    await running.has_applied(job, 1)
    conn = await running.connect()
    await account_deletion.begin(conn, client.account_id)
    for _ in range(3):
        running.steps.arm("deletion.batch", "kill")
        await running.steps.taken("deletion.batch")
    await until(lambda: _is_gone(conn, client.account_id), 60)
    running.clients.remove(client)
    assert [rows.table for rows in OWNED if await rows.any_left(conn, client.account_id)] == []
    await conn.close()
    await invariants.hold(running)


async def test_a_contact_is_erased_although_its_workers_are_killed(running: Cluster) -> None:
    client = await running.client()
    ids = await leave_traces(client)
    erased, others = ids[ERASED], [contact_id for contact_id in ids if contact_id != ids[ERASED]]
    conn = await running.connect()
    assert set(await said_of(conn, client.account_id, SECRETS)) == PLACES
    before = await data_of(client, others)
    running.steps.arm("erasure.step", "stop")
    asked = (await client.call("DELETE", f"/v1/contacts/{erased}/data")).json
    await _kill_in_each_step(running, conn, client.account_id)
    path = f"/v1/erasures/{asked['id']}"
    await until(lambda: _is_complete(client, path), 60)
    done = (await client.call("GET", path)).json
    assert done["erased"] == TRACES  # each once
    assert await said_of(conn, client.account_id, SECRETS) == {}
    assert (await client.call("GET", f"/v1/contacts/{erased}")).status == 404
    assert await data_of(client, others) == before
    await conn.close()
    await invariants.hold(running)
    assert (await client.call("GET", path)).json == done


async def _kill_in_each_step(running: Cluster, conn: Conn, account_id: AccountId) -> None:
    """Kill a worker in each step of an erasure, before it commits. Every piece stops, so none is missed."""
    left = set(STEPS_OF_ERASURES)
    while left:
        pid = await running.steps.stopped_at("erasure.step")
        worker = running.part_of(pid)
        step = ErasureStep(await conn.fetchval("SELECT step FROM erasures WHERE account_id = $1", account_id))
        if len(left) > 1 or step not in left:
            running.steps.arm("erasure.step", "stop")
        if step in left:
            left.remove(step)
            await worker.kill()
        else:
            worker.thaw()


async def _is_complete(client: PatientClient, path: str) -> bool:
    return bool((await client.call("GET", path)).json["state"] == "completed")


async def _is_gone(conn: Conn, account_id: AccountId) -> bool:
    return await accounts.by_id(conn, account_id) is None


LONG_PARTS = [pytest.param(part, marks=pytest.mark.long) for part in ("postgres", "valkey")]


@pytest.mark.parametrize("part", ["worker", "everything", *LONG_PARTS])
async def test_a_kill_in_the_middle_loses_nothing(
    running: Cluster, part: str, record_property: Record
) -> None:
    client = await running.client()
    job = await client.submit(effect_items(range(40_000), "once"))
    await running.has_applied(job, 1)
    victims = {
        "postgres": [running.postgres],
        "valkey": [running.valkey],
        "worker": running.workers,
        "everything": running.parts,
    }[part]
    await asyncio.gather(*(victim.kill() for victim in victims))
    await asyncio.gather(*(victim.back() for victim in victims))
    await recovered(running, f"SIGKILL of {part}", record_property)
    await client.ended(job)
    await invariants.hold(running)
    await assert_once(running, client, {"once": 40_000})
