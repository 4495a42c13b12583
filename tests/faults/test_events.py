"""A client that follows its account sees each job to its end, once, whatever dies meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest

from schemas.wire.jobs import JobProgress
from storage.background import cancel
from tests.event_reader import EventReader, Sent
from tests.factories import contact
from tests.faults.harness import invariants
from tests.faults.harness.client import NO_ANSWER, PatientClient, ndjson
from tests.faults.harness.cluster import Cluster

pytestmark = pytest.mark.asyncio(loop_scope="module")

AGAIN_SECONDS = 0.1
SECONDS = 60.0


class PatientReader:
    """Follows an account through all apis, one after the other, and resumes after its last event."""

    def __init__(self, client: PatientClient) -> None:
        self._client = client
        self._arrived = asyncio.Condition()
        self.last_id = ""
        self.seen: list[Sent] = []
        self.serving: int | None = None  # the number of the api

    async def run(self) -> None:
        """Follow until cancelled."""
        for attempt in range(10_000):
            with suppress(*NO_ANSWER):
                await self._follow(attempt % len(self._client.urls))
            self.serving = None
            await asyncio.sleep(AGAIN_SECONDS)

    async def until(self, job: str, state: str) -> Any:
        """Wait for a job in a state; return its data."""

        def found() -> list[Any]:
            return [sent.data for sent in self.seen if sent.data["id"] == job and sent.data["state"] == state]

        async with asyncio.timeout(SECONDS), self._arrived:
            await self._arrived.wait_for(found)
        return found()[-1]

    async def _follow(self, api: int) -> None:
        headers = {"Authorization": f"Bearer {self._client.key}"}
        if self.last_id:
            headers["Last-Event-ID"] = self.last_id
        url = f"{self._client.urls[api]}/v1/events"
        timeout = aiohttp.ClientTimeout(total=None, connect=5, sock_read=20)
        async with self._client.session.get(url, headers=headers, timeout=timeout) as response:
            response.raise_for_status()
            reader = EventReader(aiter(response.content), self.last_id)
            await reader.begin()
            self.last_id, self.serving = reader.last_id, api
            while sent := await reader.next(seconds=SECONDS):
                assert sent.name == "job", sent
                self.last_id = sent.id
                async with self._arrived:
                    self.seen.append(sent)
                    self._arrived.notify_all()


@asynccontextmanager
async def following(client: PatientClient) -> AsyncIterator[PatientReader]:
    """Follow an account while the body runs."""
    reader = PatientReader(client)
    task = asyncio.create_task(reader.run())
    try:
        async with asyncio.timeout(SECONDS):
            while reader.serving is None and not task.done():  # noqa: ASYNC110 - it may fail
                await asyncio.sleep(AGAIN_SECONDS)
        yield reader
    finally:
        await cancel(task)
        assert task.cancelled(), task.exception()


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
