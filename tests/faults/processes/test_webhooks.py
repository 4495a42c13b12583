"""Webhooks through kills of workers and an endpoint that fails half of the time: none is lost."""

import asyncio
import random
from collections import defaultdict

import pytest
from aiohttp import web

from schemas.ids import show_job_id
from tests.factories import phone
from tests.faults.harness.client import PatientClient
from tests.faults.harness.cluster import Cluster, cluster
from tests.receiver import Received, Receiver, receiving
from tests.waiting import until

HOOKS = ("ordered", "a", "b", "c", "d")
SUBMITTED_AT_ONCE = 20


async def fail_half(attempt: Received) -> web.StreamResponse:
    """Fail half of the attempts."""
    return web.Response(status=random.choice((204, 500)))


@pytest.mark.parametrize(
    ("jobs", "kills", "seconds"),
    [(30, 1, 60), pytest.param(2_000, 30, 900, marks=[pytest.mark.long, pytest.mark.timeout(1200)])],
)
async def test_every_message_arrives_with_one_id_and_in_order_where_asked_for(
    jobs: int, kills: int, seconds: int
) -> None:
    async with (
        receiving() as receiver,
        cluster() as running,
    ):
        receiver.answer = fail_half
        client = await running.client()
        await make_webhooks(client, receiver)
        running.steps.arm("webhook.sent", "kill")  # after the endpoint has answered, before it is recorded
        killing = asyncio.create_task(kill_at_random(running, kills))
        await submit(client, jobs)
        await running.steps.taken("webhook.sent", seconds=60)
        await killing
        await running.heal()
        await all_delivered(running, jobs * len(HOOKS), seconds)
        check(
            receiver,
            [
                show_job_id(row["id"])
                for row in await running.sql("SELECT id FROM jobs ORDER BY stream_position")
            ],
        )


async def make_webhooks(client: PatientClient, receiver: Receiver) -> None:
    """Make webhooks of which one is ordered."""
    for name in HOOKS:
        body = {"url": receiver.url(f"/{name}"), "ordered": name == "ordered"}
        response = await client.call("PUT", f"/v1/webhooks/{name}", json=body)
        assert response.status == 201, response.body


async def submit(client: PatientClient, jobs: int) -> None:
    """Submit jobs of one item each."""
    for first in range(0, jobs, SUBMITTED_AT_ONCE):
        numbers = range(first, min(first + SUBMITTED_AT_ONCE, jobs))
        await asyncio.gather(*(client.submit([{"phone": phone(number)}]) for number in numbers))


async def kill_at_random(running: Cluster, kills: int) -> None:
    """Kill one worker after the other, and wait each time until it is back."""
    for _ in range(kills):
        victim = random.choice(running.workers)
        await victim.kill()
        await victim.back()
        await asyncio.sleep(random.random() * 4)


async def all_delivered(running: Cluster, count: int, seconds: int) -> None:
    """Wait until so many deliveries have arrived, and assert that there is no other."""

    async def delivered() -> bool:
        (row,) = await running.sql("SELECT count(*) AS n FROM webhook_deliveries WHERE state = 'delivered'")
        return bool(row["n"] >= count)

    await until(delivered, seconds)
    states = await running.sql("SELECT state, count(*) AS n FROM webhook_deliveries GROUP BY state")
    assert [(row["state"], row["n"]) for row in states] == [("delivered", count)]


def check(receiver: Receiver, jobs: list[str]) -> None:
    """Assert that each webhook has each job under one id, and the ordered one in the order of the jobs."""
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    for attempt in receiver.received:
        ids[attempt.path, attempt.json["data"]["id"]].add(attempt.id)
    assert set(ids) == {(f"/{name}", job) for name in HOOKS for job in jobs}
    assert all(len(found) == 1 for found in ids.values())
    assert len({id_ for found in ids.values() for id_ in found}) == len(ids)
    taken: dict[str, dict[str, None]] = defaultdict(dict)  # jobs in the order in which they were first taken
    for attempt in receiver.taken:
        taken[attempt.path].setdefault(attempt.json["data"]["id"])
    assert all(set(found) == set(jobs) for found in taken.values())
    assert list(taken["/ordered"]) == jobs
    assert receiver.most_busy["/ordered"] == 1
    assert max(receiver.most_busy.values()) <= 8  # four, and as many again of a worker that was killed
