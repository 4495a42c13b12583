"""A client that follows its account through the death of anything: it resumes after its last event."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp

from storage.background import cancel
from tests.event_reader import EventReader, Sent
from tests.faults.harness.client import NO_ANSWER, PatientClient

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

    async def until(self, job: str, state: str, *, created: int = 0) -> Any:
        """Wait for a job in a state, with at least so many contacts created; return its data."""

        def found() -> list[Any]:
            events = [sent.data for sent in self.seen if sent.data["id"] == job]
            return [it for it in events if it["state"] == state and it["counts"]["created"] >= created]

        async with asyncio.timeout(SECONDS), self._arrived:
            await self._arrived.wait_for(found)
        return found()[-1]

    async def ends_of(self, jobs: Collection[str]) -> dict[str, list[Any]]:
        """Return all events of jobs that have ended, by job, as soon as the end of each has arrived.

        After `SECONDS`, return what has arrived.
        """

        def told() -> bool:
            return {sent.data["id"] for sent in self.seen if sent.data["finished_at"]}.issuperset(jobs)

        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS), self._arrived:
                await self._arrived.wait_for(told)
        found: dict[str, list[Any]] = {}
        for sent in self.seen:
            found.setdefault(sent.data["id"], []).append(sent.data)
        return found

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
