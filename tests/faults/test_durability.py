"""What a client was told is on disk: a crash of PostgreSQL right after the answer takes nothing back.

The cluster writes asynchronous commits ten seconds late, so a crash loses what did not wait for the disk.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from schemas.ids import read_job_id
from tests.factories import contact
from tests.faults.harness import invariants
from tests.faults.harness.client import PatientClient, ndjson
from tests.faults.harness.cluster import Cluster, cluster
from tests.faults.harness.following import following
from tests.integration.api.service import Response

ENDS = 3


@pytest.fixture
async def running() -> AsyncIterator[Cluster]:
    """Run a cluster with one worker."""
    async with cluster(workers=1) as running:
        yield running


@pytest.mark.parametrize(
    "items", [1, 1001]
)  # a small job ends with its only chunk, others after the last one
async def test_an_end_that_was_told_is_not_taken_back(running: Cluster, items: int) -> None:
    client = await running.client()
    for _ in range(ENDS):
        job = await client.submit([contact(number) for number in range(items)])
        told = await client.ended(job)
        await running.kill_backend()
        await running.database_accepts()
        (row,) = await running.sql("SELECT state, finished_at FROM jobs WHERE id = $1", read_job_id(job))
        assert row["state"] == told["state"]
        assert row["finished_at"] is not None
    await invariants.hold(running)


@pytest.mark.parametrize("items", [1, 40_000])  # a small job is accepted by one statement, others in parts
async def test_a_job_that_was_accepted_is_not_lost(running: Cluster, items: int) -> None:
    client = await running.client()
    running.workers[0].freeze()
    job = await client.submit([contact(number) for number in range(items)])
    await running.kill_backend()
    await running.database_accepts()
    rows = await running.sql("SELECT state FROM jobs WHERE id = $1", read_job_id(job))
    assert [row["state"] for row in rows] == ["queued"]
    running.workers[0].thaw()
    await client.ended(job)
    await invariants.hold(running)


async def test_progress_that_an_event_told_is_not_taken_back(running: Cluster) -> None:
    """The commit of a chunk waits for no disk, and the worker stops behind it."""
    client = await running.client()
    async with following(client) as reader:
        running.steps.arm("apply.after_commit", "stop")
        job = await client.submit([contact(number) for number in range(2_000)], query="?parallel=1")
        pid = await running.steps.stopped_at("apply.after_commit")
        await reader.until(job, "running", created=1_000)
        await running.kill_backend()
        await running.database_accepts()
        rows = await running.sql("SELECT items FROM chunks WHERE state = 'done'")
        assert [row["items"] for row in rows] == [1_000]
        os.kill(pid, signal.SIGCONT)
        await reader.until(job, "completed")
    await invariants.hold(running)


async def submit(client: PatientClient, **headers: str) -> Response:
    """Send a small request once, to the next api."""
    headers = {"Content-Type": "application/x-ndjson"} | headers
    return await client.once("POST", "/v1/bulk/contacts.upsert", data=ndjson([contact(1)]), headers=headers)


async def test_a_job_whose_client_waited_in_vain_is_not_lost(running: Cluster) -> None:
    client = await running.client()
    running.workers[0].freeze()
    response = await submit(client, Prefer="wait=1")
    assert response.status == 202
    await running.kill_backend()
    await running.database_accepts()
    assert len(await running.sql("SELECT FROM jobs WHERE id = $1", read_job_id(response.json["id"]))) == 1
    running.workers[0].thaw()
    await client.ended(response.json["id"])


async def test_a_job_that_a_repeated_request_was_told_is_not_lost(running: Cluster) -> None:
    """The first request waits, so its job is not on disk yet when the second one finds it."""
    await running.add_api()
    client = await running.client()
    running.workers[0].freeze()
    running.steps.arm("accept.after_commit", "stop")
    key = {"Idempotency-Key": "one"}
    first = asyncio.create_task(submit(client, Prefer="wait=9", **key))
    pid = await running.steps.stopped_at("accept.after_commit")
    second = await submit(client, **key)
    assert (second.status, second.headers["Idempotent-Replayed"]) == (202, "true")
    await running.kill_backend()
    await running.database_accepts()
    assert len(await running.sql("SELECT FROM jobs WHERE id = $1", read_job_id(second.json["id"]))) == 1
    os.kill(pid, signal.SIGCONT)
    running.workers[0].thaw()
    await client.ended(second.json["id"])
    await first


async def test_a_crash_while_a_client_waits_is_not_answered_with_202(running: Cluster) -> None:
    client = await running.client()
    running.workers[0].freeze()
    running.steps.arm("accept.after_commit", "stop")
    waiting = asyncio.create_task(submit(client, Prefer="wait=9"))
    pid = await running.steps.stopped_at("accept.after_commit")
    await running.kill_backend()
    await running.database_accepts()
    assert await running.sql("SELECT FROM jobs") == []
    os.kill(pid, signal.SIGCONT)
    assert (await waiting).status == 503
    running.workers[0].thaw()
