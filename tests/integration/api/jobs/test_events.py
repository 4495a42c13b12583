"""Streams of events: the state of jobs as it changes, until the end, and from where a stream was cut."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import pytest

from schemas.settings import Settings
from storage.context import Context
from storage.pipeline.changes import Cursor
from tests.factories import contact
from tests.integration.api.service import Client, Service, make_client, serve
from tests.integration.api.work import work
from tests.waiting import until

SOON = 10  # seconds


class Sent(NamedTuple):
    """One event as a browser reads it."""

    id: str
    name: str
    data: Any


class Stream:
    """The events of an open response, read as the HTML standard says."""

    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        self._lines = lines
        self.last_id = ""

    async def next(self) -> Sent | None:
        """Return the next event; None: the stream has ended."""
        name, data = "message", ""
        async with asyncio.timeout(SOON):
            async for line in self._lines:
                field, _, value = line.decode().rstrip("\n").partition(": ")
                match field:
                    case "id":
                        self.last_id = value
                    case "event":
                        name = value
                    case "data":
                        data += value
                    case "" if data:
                        return Sent(self.last_id, name, json.loads(data))
        return None

    async def until_end(self) -> list[Sent]:
        """Return all events until the stream ends."""
        found = []
        while event := await self.next():
            found.append(event)
        return found


@asynccontextmanager
async def following(client: Client, path: str, last_id: str | None = None) -> AsyncIterator[Stream]:
    """Follow events; `last_id` is the place to go on from."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    async with client.open("GET", path, headers=headers) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        stream = Stream(aiter(response.content))
        while not stream.last_id:  # the first event is complete without data
            async with asyncio.timeout(SOON):
                line = await anext(stream._lines)
            stream.last_id = line.decode().removeprefix("id: ").strip() if line.startswith(b"id: ") else ""
        yield stream


async def test_a_job_is_followed_from_its_state_to_its_end(ctx: Context, client: Client) -> None:
    job = (await client.submit_items([contact(n) for n in range(2_500)])).json
    assert job["events_url"] == f"/v1/jobs/{job['id']}/events"
    async with following(client, job["events_url"]) as stream:
        first = await stream.next()
        assert first
        assert first.name == "job"
        assert first.data["state"] == "queued"
        await work(ctx)
        rest = await stream.until_end()
    assert rest[-1].data["state"] == "completed"
    assert rest[-1].data["counts"]["created"] == 2_500
    shown = (await client.get(f"/v1/jobs/{job['id']}")).json
    del shown["errors"], shown["error_summary"]
    assert rest[-1].data == shown
    ids = [event.id for event in (first, *rest)]
    assert len(set(ids)) == len(ids)


async def test_the_end_is_sent_once(ctx: Context, client: Client) -> None:
    job = (await client.submit_items([contact(1)])).json
    await work(ctx)
    async with following(client, job["events_url"]) as stream:
        [end] = await stream.until_end()
    assert end.data["state"] == "completed"
    response = await client.call("GET", job["events_url"], headers={"Last-Event-ID": end.id})
    assert response.status == 204


async def test_an_account_is_followed_from_now_on(ctx: Context, client: Client) -> None:
    await client.submit_items([contact(1)])
    await work(ctx)
    async with following(client, "/v1/events") as stream:
        job = (await client.submit_items([contact(2)])).json
        await work(ctx)
        while event := await stream.next():
            assert event.data["id"] == job["id"]
            if event.data["state"] == "completed":
                break


async def test_a_stream_goes_on_at_another_api_without_gap_or_repetition(
    ctx: Context, client: Client, settings: Settings
) -> None:
    """Every job is followed to its end, each state once, although each connection is cut after few events."""
    submitted = []
    async with serve(settings) as other:
        paths = ["/v1/events", f"http://127.0.0.1:{other.port}/v1/events"]
        async with following(client, "/v1/events") as stream:
            last_id = stream.last_id
        seen: list[tuple[str, str, int]] = []
        for round_ in range(6):
            submitted += [
                (await client.submit_items([contact(10 * round_ + n)])).json["id"] for n in range(5)
            ]
            working = asyncio.create_task(work(ctx))
            async with following(client, paths[round_ % 2], last_id) as stream:
                for _ in range(3):
                    event = await stream.next()
                    assert event
                    last_id = event.id
                    seen.append((event.data["id"], event.data["state"], event.data["counts"]["created"]))
            await working
        async with following(client, paths[1], last_id) as stream:
            while {job for job, state, _ in seen if state == "completed"} != set(submitted):
                event = await stream.next()
                assert event
                seen.append((event.data["id"], event.data["state"], event.data["counts"]["created"]))
    assert len(set(seen)) == len(seen)


async def test_an_unknown_place_begins_anew(ctx: Context, client: Client) -> None:
    later = Cursor(at=2**59).show()
    job = (await client.submit_items([contact(1)])).json
    await work(ctx)
    async with following(client, job["events_url"], later) as stream:
        reset, end = await stream.until_end()
    assert reset.name == "reset"
    assert end.data["state"] == "completed"


@pytest.mark.parametrize("path", ["/v1/events", "/v1/jobs/{id}/events"])
async def test_a_wrong_id_is_refused(client: Client, path: str) -> None:
    job = (await client.submit_items([contact(1)])).json
    response = await client.call("GET", path.format(**job), headers={"Last-Event-ID": "yesterday"})
    assert (response.status, response.error["param"]) == (422, "Last-Event-ID")


async def test_a_job_of_another_account_has_no_events(
    ctx: Context, client: Client, session: aiohttp.ClientSession
) -> None:
    other = await make_client(ctx, session)
    job = (await other.submit_items([contact(1)])).json
    assert (await client.get(job["events_url"])).status == 404


async def test_a_stream_ends_when_the_api_stops(ctx: Context, client: Client, service: Service) -> None:
    async with following(client, "/v1/events") as stream:
        service.api.hearing.close()
        assert await stream.until_end() == []


async def test_a_stream_holds_no_connection_and_stops_when_the_client_leaves(
    client: Client, service: Service
) -> None:
    pool = service.api.ctx.pool
    async with following(client, "/v1/events"):
        assert service.api.feeds.streams == 1

        async def idle() -> bool:
            return pool.get_size() == pool.get_idle_size()

        await until(idle)
