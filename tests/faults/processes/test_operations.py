"""Kill everything in the middle of each operation: every one has its whole effect, once."""

import asyncio

import pytest

from tests.factories import contact, phone
from tests.faults.harness import invariants
from tests.faults.harness.client import PatientClient, counts
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.hearing import hearing
from tests.faults.harness.recovery import Record, recovered

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIZE = 8_000


async def _make(client: PatientClient, noun: str) -> str:
    """Create a list, label or audience; return its id."""
    response = await client.call("POST", f"/v1/{noun}", json={"name": f"the {noun}"})
    assert response.status == 201, response
    return str(response.json["id"])


async def _kill_in_the_middle(running: Cluster, jobs: list[str], record: Record, what: str) -> None:
    """Kill all parts as soon as one chunk of the jobs is applied."""
    first = [asyncio.create_task(running.has_applied(job, 1)) for job in jobs]
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    for task in first:
        task.cancel()
    await asyncio.gather(*first, return_exceptions=True)
    await asyncio.gather(*(part.kill() for part in running.parts))
    await asyncio.gather(*(part.back() for part in running.parts))
    await recovered(running, f"SIGKILL of everything during {what}", record)


async def test_a_kill_of_everything_in_each_operation(running: Cluster, record_property: Record) -> None:
    client = await running.client()
    async with hearing(running, client) as ears:
        await _kill_in_each_operation(running, client, record_property)
        await ears.hold()


async def _kill_in_each_operation(running: Cluster, client: PatientClient, record_property: Record) -> None:
    listed, label, audience = [await _make(client, noun) for noun in ("contact-lists", "labels", "audiences")]
    everyone = [{"phone": phone(n)} for n in range(SIZE)]
    half, rest = everyone[: SIZE // 2], everyone[SIZE // 2 :]

    async def submit(operation: str, items: list[dict[str, str]], query: str = "") -> str:
        return await client.submit(items, operation, query)

    created = await client.submit(contact(n) for n in range(SIZE))
    await _kill_in_the_middle(running, [created], record_property, "contacts.upsert")
    assert counts(await client.ended(created)) == {"created": SIZE}
    jobs = [
        await submit("lists.add", half, f"?list_id={listed}"),
        await submit("labels.attach", everyone, f"?label_id={label}"),
        await submit("audiences.add", everyone, f"?audience_id={audience}"),
        await submit("preferences.set", everyone, "?preference=mute_all"),
    ]
    await _kill_in_the_middle(running, jobs, record_property, "lists.add and others")
    for job in jobs:
        assert counts(await client.ended(job)) == {"updated": SIZE // 2 if job == jobs[0] else SIZE}
    jobs = [
        await submit("lists.overwrite", rest, f"?list_id={listed}"),
        await submit("lists.remove", rest[:1_000], f"?list_id={listed}"),
        await submit("labels.detach", rest[:1_000], f"?label_id={label}"),
        await submit("contacts.delete", half),
    ]
    await _kill_in_the_middle(running, jobs, record_property, "lists.overwrite and others")
    ended = [await client.ended(job) for job in jobs]
    assert [counts(job) for job in ended] == [
        {"updated": SIZE // 2}, {"updated": 1_000}, {"updated": 1_000}, {"updated": SIZE // 2}
    ]  # fmt: skip
    assert ended[0]["memberships"] == {"added": SIZE // 2, "removed": SIZE // 2}
    await invariants.hold(running)
    rows = await running.sql(
        "SELECT kind, count(*)::int AS n FROM memberships WHERE account_id = $1 GROUP BY kind",
        client.account_id,
    )
    members = {row["kind"]: row["n"] for row in rows}
    assert members == {"list": SIZE // 2 - 1_000, "label": SIZE // 2 - 1_000, "audience": SIZE // 2}
