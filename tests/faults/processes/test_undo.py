"""Kill everything in the middle of an undo, and at each of its steps: every contact is undone, once."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.factories import contact, phone
from tests.faults.harness import invariants
from tests.faults.harness.client import PatientClient, counts
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.recovery import Record, recovered
from tests.steps import OF_CHUNKS

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIZE, OLD = 4_000, 3_000  # contacts that a job names, and how many of them there were before
STEPS = (
    "accept.before_commit",
    "accept.after_commit",
    *(step for step in OF_CHUNKS if step != "apply.after_copy"),
)
STATE = """
    SELECT md5(string_agg(
        md5((to_jsonb(c) - 'updated_at')::text || COALESCE(m.members, '')), '' ORDER BY c.id)) AS state
    FROM contacts c
    LEFT JOIN LATERAL (
        SELECT string_agg(to_jsonb(m)::text, ',' ORDER BY kind, owner_id) AS members FROM memberships m
        WHERE m.account_id = c.account_id AND m.contact_id = c.id
    ) m ON true
    WHERE c.account_id = $1
"""


async def test_a_kill_at_each_step_of_an_undo_loses_nothing(running: Cluster) -> None:
    client = await running.client()
    before, job, after = await _changed(running, client)
    for step in STEPS:
        running.steps.arm(step, "kill")
    undo = await _undo(client, job)
    assert counts(await client.ended(undo, seconds=90)) == {"updated": SIZE}
    for step in STEPS:
        await running.steps.taken(step, seconds=5)
    assert await _state(running, client) == before
    redo = await _undo(client, undo)
    assert counts(await client.ended(redo)) == {"created": SIZE - OLD, "updated": OLD}
    assert await _state(running, client) == after
    await invariants.hold(running)


async def test_a_kill_of_everything_in_an_undo_and_its_redo(
    running: Cluster, record_property: Record
) -> None:
    client = await running.client()
    before, job, after = await _changed(running, client)
    for what, state in (("an undo", before), ("a redo", after)):
        job = await _undo(client, job)
        await running.has_applied(job, 1)
        await asyncio.gather(*(part.kill() for part in running.parts))
        await asyncio.gather(*(part.back() for part in running.parts))
        await recovered(running, f"SIGKILL of everything during {what}", record_property)
        assert sum(counts(await client.ended(job)).values()) == SIZE
        assert await _state(running, client) == state
    await invariants.hold(running)


async def _changed(running: Cluster, client: PatientClient) -> tuple[str, str, str]:
    """Create contacts and change them by a job. Return the state before, the job, and the state after it."""
    response = await client.call("POST", "/v1/contact-lists", json={"name": "the list"})
    await client.ended(await client.submit(_items("old", OLD)))
    before = await _state(running, client)
    query = f"?list_id={response.json['id']}"
    job = await client.submit(_items("new", SIZE), "lists.add", query)
    await client.ended(job)
    return before, job, await _state(running, client)


def _items(name: str, size: int) -> Iterator[dict[str, Any]]:
    return (contact(n, name=f"{name} {n}", metadata={name: n}) | {"phone": phone(n)} for n in range(size))


async def _undo(client: PatientClient, job: str) -> str:
    headers = {"Idempotency-Key": f"undo {job}"}
    response = await client.call("POST", f"/v1/jobs/{job}/undo", headers=headers)
    assert response.status == 202, response
    undo: str = response.json["id"]
    client.accepted.append(undo)
    return undo


async def _state(running: Cluster, client: PatientClient) -> str:
    (row,) = await running.sql(STATE, client.account_id)
    return str(row["state"])
