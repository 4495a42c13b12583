"""Cancel, retry, dry run and delete race with apply, settle and each other."""

import asyncio
import os
import random
import signal
from collections import defaultdict
from typing import Any

import pytest

from tests.factories import phone
from tests.faults.harness import invariants
from tests.faults.harness.client import PatientClient, counts
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.effects import effect_items
from tests.faults.harness.workload import SAME, submit_out_of_order

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTACTS = 2_500
STEPS = (
    "apply.after_copy",
    "apply.before_commit",
    "claim.committed",
    "finish.before_commit",
    "split.before_commit",
)
LONG_SEEDS = [pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 13)]


@pytest.mark.parametrize("step", STEPS)
async def test_a_cancel_that_meets_a_step_leaves_true_counts(running: Cluster, step: str) -> None:
    client = await running.client()
    running.steps.arm(step, "stop")
    body = [item | {"metadata": {"pad": "x" * 800}} for item in effect_items(range(CONTACTS), "once")]
    job = await client.submit(body)
    pid = await running.steps.stopped_at(step)
    cancelling = asyncio.create_task(client.call("POST", f"/v1/jobs/{job}/cancel"))
    await asyncio.wait([cancelling], timeout=1)  # it may have to wait for the lock of the stopped process
    os.kill(pid, signal.SIGCONT)
    assert (await cancelling).status in {200, 202, 409}
    ended = await client.ended(job)
    await invariants.hold(running)
    created = ended["counts"]["created"]
    assert await _effects(running, client) == ({"once": created} if created else {})


@pytest.mark.parametrize("seed", [1, 2, *LONG_SEEDS])
async def test_races_of_everything_leave_true_counts(running: Cluster, seed: int) -> None:
    client = await running.client()
    race = _Race(client, random.Random(seed))
    await asyncio.gather(*(race.run(number) for number in range(4)))
    written: dict[str, int] = defaultdict(int)
    for effect, jobs in race.jobs.items():
        for job in jobs:
            ended = await client.ended(job)
            if not ended["dry_run"]:
                written[effect] += ended["counts"]["created"] + ended["counts"]["updated"]
    await invariants.hold(running)
    assert await _effects(running, client) == {effect: n for effect, n in written.items() if n}


class _Race:
    """Four clients that submit, cancel, retry, delete, at random. Each job writes an effect of its own."""

    def __init__(self, client: PatientClient, rng: random.Random) -> None:
        self._client = client
        self._random = rng
        self.jobs: dict[str, list[str]] = defaultdict(list)  # by effect; a retry has the effect of its parent

    async def run(self, number: int) -> None:
        for turn in range(6):
            effect = f"{number}.{turn}"
            job = await self._submit(effect)
            match self._random.choice(["cancel", "retry", "delete", "delete many", "wait"]):
                case "cancel":
                    await asyncio.sleep(self._random.random() / 2)
                    await self._client.call("POST", f"/v1/jobs/{job}/cancel")
                case "retry":
                    await self._client.ended(job)
                    response = await self._client.call("POST", f"/v1/jobs/{job}/retry")
                    if response.status == 202:
                        self.jobs[effect].append(response.json["id"])
                        self._client.accepted.append(response.json["id"])
                case "delete":
                    await self._delete_one()
                case "delete many":
                    items = [{"phone": phone(n)} for n in self._some(300)]
                    await self._client.submit(items, "contacts.delete")
                case "wait":
                    await self._client.ended(job)

    async def _submit(self, effect: str) -> str:
        items: list[dict[str, Any]] = list(effect_items(self._some(CONTACTS), effect))
        items[::50] = [item | {"age": -1} for item in items[::50]]  # these fail
        query = self._random.choice(["", "", "?dry_run=true"])
        job = await self._client.submit(items, query=query)
        self.jobs[effect].append(job)
        return job

    async def _delete_one(self) -> None:
        response = await self._client.call("GET", "/v1/contacts?limit=1")
        for row in response.json["data"]:
            await self._client.call("DELETE", f"/v1/contacts/{row['id']}")

    def _some(self, most: int) -> range:
        start = self._random.randrange(CONTACTS)
        return range(start, start + self._random.randint(1, most))


async def test_a_cancel_that_meets_settle_leaves_true_counts(running: Cluster) -> None:
    client = await running.client()
    job = await submit_out_of_order(running, client, "settle.before_commit", "stop")
    pid = await running.steps.stopped_at("settle.before_commit")
    cancelling = asyncio.create_task(client.call("POST", f"/v1/jobs/{job}/cancel"))
    await asyncio.wait([cancelling], timeout=1)
    os.kill(pid, signal.SIGCONT)
    await cancelling
    assert sum(counts(await client.ended(job)).values()) == 3 * len(SAME)
    await invariants.hold(running)


async def _effects(running: Cluster, client: PatientClient) -> dict[str, int]:
    rows = await running.sql(
        "SELECT effect, count(*)::int AS n FROM test_effects WHERE account_id = $1 GROUP BY effect",
        client.account_id,
    )
    return {row["effect"]: row["n"] for row in rows}
