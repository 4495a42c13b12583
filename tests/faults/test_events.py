"""A client that follows its account sees each job to its end, once, whatever dies meanwhile."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from schemas.wire.jobs import JobProgress
from tests.factories import contact
from tests.faults.harness import invariants
from tests.faults.harness.client import ndjson
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.following import following

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def locked_contact(running: Cluster) -> AsyncIterator[None]:
    """Lock the first contact while the body runs, so that no job with it ends before it was seen running."""
    conn = await running.connect()
    try:
        await conn.execute("BEGIN")
        assert len(await conn.fetch("SELECT FROM contacts ORDER BY id LIMIT 1 FOR UPDATE")) == 1
        yield
    finally:
        conn.terminate()  # it may be gone already


async def test_a_stream_is_complete_whatever_dies(running: Cluster) -> None:
    await running.add_api()
    client, stranger = await running.client(), await running.client()
    async with following(client) as reader:
        jobs: list[str] = []

        async def submit(items: int) -> str:
            numbers = (0, *range(10_000 * len(jobs), 10_000 * len(jobs) + items))
            body = ndjson(contact(number, name=f"{number} {len(jobs)}") for number in dict.fromkeys(numbers))
            jobs.append(await client.submit(body, query="?parallel=1"))
            return jobs[-1]

        await reader.until(await submit(1), "completed")

        async with locked_contact(running):
            await reader.until(await submit(4_000), "running")
            assert reader.serving is not None
            await running.apis[reader.serving].kill()
        await reader.until(jobs[-1], "completed")

        async with running.valkey.away():
            await reader.until(await submit(4_000), "completed")

        async with locked_contact(running):
            await reader.until(await submit(4_000), "running")
            await running.kill_backend()
        await running.database_accepts()
        await reader.until(jobs[-1], "completed")

        await stranger.submit([contact(1)])
        await reader.until(await submit(1), "completed")
        for job in jobs:
            events = [sent.data for sent in reader.seen if sent.data["id"] == job]
            _assert_complete(events, await client.job(job))
        assert {sent.data["id"] for sent in reader.seen} == set(jobs), "a tenant sees the jobs of another one"
    await invariants.hold(running)


def _assert_complete(events: list[Any], job: Any) -> None:
    """Assert that the events lead to the end without a step back or a repetition."""
    assert events[-1] == {name: job[name] for name in JobProgress.model_fields}
    done = [sum(event["counts"].values()) - event["counts"]["pending"] for event in events]
    assert done == sorted(done)
    versions = [
        (event["state"], event["total"], event["throttled_until"], *event["counts"].values())
        for event in events
    ]
    assert len(set(versions)) == len(versions), versions
    assert [event["state"] for event in events].count(job["state"]) == 1
