"""What a client was told is on disk: a crash of PostgreSQL right after the answer takes nothing back.

The cluster writes asynchronous commits ten seconds late, so a crash loses what did not wait for the disk.
"""

from collections.abc import AsyncIterator

import pytest

from schemas.ids import read_job_id
from tests.factories import contact
from tests.faults.harness import invariants
from tests.faults.harness.cluster import Cluster, cluster

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
