"""Streams of events: the state of jobs as it changes, until the end, and from where a stream was cut."""

import asyncio
import json

import aiohttp
import pytest

from api.http.connections import CONNECTIONS
from schemas.formats.content_type import Format
from schemas.ids import new_job_id, show_job_id
from schemas.operations import JobParams, Operation
from schemas.settings import Settings
from schemas.wire.jobs import JobProgress
from storage.context import Context
from storage.pipeline import uploads
from storage.pipeline.changes import Cursor
from storage.pipeline.uploads import NewJob
from tests.factories import contact
from tests.integration.api.following import following
from tests.integration.api.raw_upload import upload
from tests.integration.api.service import Client, Service, make_client, serve
from tests.integration.api.work import work
from tests.waiting import until
from tests.workers import claim
from worker.apply import apply_chunk

CHANGE_JOBS = "UPDATE jobs SET total = total + 1 WHERE account_id = $1"


async def test_a_job_is_followed_from_its_state_to_its_end(
    ctx: Context, client: Client, service: Service
) -> None:
    job = (await client.submit_items([contact(n) for n in range(2_500)])).json
    assert job["events_url"] == f"/v1/jobs/{job['id']}/events"
    async with following(client, job["events_url"]) as stream:
        first = await stream.next()
        assert first
        assert first.name == "job"
        assert first.data["state"] == "queued"
        chunk = await claim(ctx)
        for created in (0, 1_000):  # no worker runs that announces it
            service.api.feeds.change(client.account.id)
            event = await stream.next()
            assert event
            assert (event.data["state"], event.data["counts"]["created"]) == ("running", created)
            await apply_chunk(ctx, chunk)  # the second time, the fence stops it
        await work(ctx)
        rest = await stream.until_end()
    assert rest[-1].data["state"] == "completed"
    assert rest[-1].data["counts"]["created"] == 2_500
    shown = (await client.get(f"/v1/jobs/{job['id']}")).json
    assert rest[-1].data == {name: shown[name] for name in JobProgress.model_fields}
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

    async def closed() -> bool:
        return service.api.feeds.streams == 0 and len(service.app[CONNECTIONS]) == 0

    await until(closed)


async def test_a_stream_of_a_job_resumes_with_what_it_has_not_sent(ctx: Context, client: Client) -> None:
    job = (await client.submit_items([contact(n) for n in range(1_500)])).json
    async with following(client, job["events_url"]) as stream:
        queued = await stream.next()
        assert queued
    async with following(client, job["events_url"], queued.id) as stream:
        await work(ctx)
        rest = await stream.until_end()
    assert "queued" not in {event.data["state"] for event in rest}
    assert rest[-1].data["state"] == "completed"


async def test_an_upload_that_fails_is_announced(client: Client, service: Service) -> None:
    async with following(client, "/v1/events") as stream:
        async with upload(service, client, "application/x-ndjson") as cut:
            await cut.send(json.dumps(contact(1)).encode() + b"\n")
            await until(lambda: _receives(service))
        failed = await stream.next()
        assert failed
    assert (failed.data["state"], failed.data["error"]["code"]) == ("failed", "upload_incomplete")


async def _receives(service: Service) -> bool:
    return bool(service.api.uploads.current)


async def test_a_stream_ends_if_its_job_disappears(ctx: Context, client: Client, service: Service) -> None:
    """A request that is refused leaves no job, but its job was shown while the body arrived."""
    job = NewJob(
        account_id=client.account.id, id=new_job_id(), operation=Operation.CONTACTS_UPSERT,
        stream="contacts", format=Format.NDJSON, params=JobParams(), parallel=1, request_id="req_1",
    )  # fmt: skip
    await uploads.open_job(ctx.pool, job)
    async with following(client, f"/v1/jobs/{show_job_id(job.id)}/events") as stream:
        first = await stream.next()
        assert first
        assert first.data["state"] == "receiving"
        await uploads.forget(ctx.pool, client.account.id, job.id)
        await service.api.feeds.beat()
        assert await stream.until_end() == []
