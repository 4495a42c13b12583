"""Requests that wait for the end of a job: the end wakes them, and they hold no database connection."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
from redis.asyncio import Redis

from api.accept import accept
from schemas.settings import Settings
from storage.announcements import CHANNEL
from storage.context import Context
from tests.factories import contact
from tests.integration.api.service import Client, Response, Service, make_client, serve
from tests.integration.api.work import work
from tests.proxy import proxy
from tests.servers import TestServers
from tests.waiting import until

LONG = 30  # seconds; longer than any test takes
SOON = 5  # seconds; much less than LONG, but enough on a busy machine


async def until_waiting(service: Service, count: int = 1) -> None:
    """Wait until `count` requests wait and none of them uses a database connection."""
    pool = service.api.ctx.pool

    async def quiet() -> bool:
        return service.api.ended.waiting == count and pool.get_size() == pool.get_idle_size()

    await until(quiet)


async def _finish(task: "asyncio.Task[Response]") -> Response:
    async with asyncio.timeout(SOON):
        return await task


async def test_a_poll_is_woken_by_the_end_and_holds_no_connection(
    ctx: Context, service: Service, client: Client
) -> None:
    response = await client.submit_items([contact(1)])
    polls = [
        asyncio.create_task(client.get(f"{response.headers['Location']}?wait={LONG}"))
        for _ in range(service.api.ctx.settings.api_pool_size * 2)
    ]
    await until_waiting(service, len(polls))
    assert not any(poll.done() for poll in polls)
    await work(ctx)
    for poll in polls:
        assert (await _finish(poll)).json["state"] == "completed"
    assert service.api.ended.waiting == 0


async def test_a_poll_returns_when_its_time_is_up(client: Client) -> None:
    response = await client.submit_items([contact(1)])
    clock = asyncio.get_running_loop().time
    began = clock()
    polled = await client.get(f"{response.headers['Location']}?wait=1")
    assert (polled.status, polled.json["state"]) == (200, "queued")
    assert 1 <= clock() - began < SOON


async def test_a_poll_for_an_ended_or_unknown_job_returns_at_once(ctx: Context, client: Client) -> None:
    response = await client.submit_items([contact(1)])
    await work(ctx)
    async with asyncio.timeout(SOON):
        assert (await client.get(f"{response.headers['Location']}?wait={LONG}")).status == 200
        assert (await client.get(f"/v1/jobs/job_01ARZ3NDEKTSV4RRFFQ69G5FAV?wait={LONG}")).status == 404


async def test_a_submit_with_prefer_wait_returns_the_ended_job(
    ctx: Context, service: Service, client: Client
) -> None:
    submit = asyncio.create_task(client.submit_items([contact(1)], Prefer=f"wait={LONG}"))
    await until_waiting(service)
    await work(ctx)
    response = await _finish(submit)
    assert (response.status, response.json["state"]) == (200, "completed")
    assert response.headers["Preference-Applied"] == f"wait={LONG}"
    assert response.headers["Bulklane-Job"] == response.json["id"]
    assert response.headers["Location"] == f"/v1/jobs/{response.json['id']}"


@pytest.mark.parametrize("prefer", [f"respond-async, wait={LONG}", f'foo; wait="{LONG}"', f"Wait = {LONG}"])
async def test_a_preference_is_read_in_any_spelling(
    ctx: Context, service: Service, client: Client, prefer: str
) -> None:
    submit = asyncio.create_task(client.submit_items([contact(1)], Prefer=prefer))
    await until_waiting(service)
    await work(ctx)
    assert (await _finish(submit)).status == 200


async def test_a_submit_with_failed_items_returns_207(ctx: Context, service: Service, client: Client) -> None:
    submit = asyncio.create_task(client.submit_items([contact(1), {"phone": "12"}], Prefer=f"wait={LONG}"))
    await until_waiting(service)
    await work(ctx)
    response = await _finish(submit)
    assert (response.status, response.json["state"]) == (207, "completed_with_errors")


async def test_a_submit_whose_time_is_up_returns_202(client: Client) -> None:
    response = await client.submit_items([contact(1)], Prefer="wait=1")
    assert (response.status, response.json["state"]) == (202, "queued")
    assert "Preference-Applied" not in response.headers
    assert (await client.job(response))["id"] == response.json["id"]


@pytest.mark.parametrize(
    ("prefer", "waits"), [(None, True), ("wait=0", False), ("respond-async", False), ("return=minimal", True)]
)
async def test_an_account_can_wait_by_default(
    ctx: Context, service: Service, session: aiohttp.ClientSession, prefer: str | None, waits: bool
) -> None:
    client = await make_client(ctx, session, default_wait=LONG)
    headers = {"Prefer": prefer} if prefer else {}
    submit = asyncio.create_task(client.submit_items([contact(1)], **headers))
    if waits:
        await until_waiting(service)
        await work(ctx)
    response = await _finish(submit)
    assert response.status == (200 if waits else 202)
    assert response.headers.get("Preference-Applied") == (f"wait={LONG}" if waits else None)


async def test_waiting_requests_return_when_the_api_stops(
    ctx: Context, settings: Settings, service: Service, client: Client
) -> None:
    response = await client.submit_items([contact(1)])
    async with (
        serve(settings, shutdown_seconds=LONG) as stopped,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{stopped.port}") as session,
    ):
        other = Client(session, client.account, client.key)
        poll = asyncio.create_task(other.get(f"{response.headers['Location']}?wait={LONG}"))
        await until_waiting(stopped)
        async with asyncio.timeout(SOON):
            await stopped.runner.cleanup()
        assert (await _finish(poll)).json["state"] == "queued"


async def test_an_invalid_message_on_the_channel_is_ignored(
    ctx: Context, service: Service, client: Client, redis: Redis
) -> None:
    response = await client.submit_items([contact(1)])
    poll = asyncio.create_task(client.get(f"{response.headers['Location']}?wait={LONG}"))
    await until_waiting(service)
    await redis.publish(CHANNEL, b"\xff nonsense")
    await work(ctx)
    assert (await _finish(poll)).json["state"] == "completed"


async def test_an_end_that_was_not_announced_is_found_after_a_reconnection(
    ctx: Context, service: Service, client: Client, redis: Redis
) -> None:
    response = await client.submit_items([contact(1)])
    poll = asyncio.create_task(client.get(f"{response.headers['Location']}?wait={LONG}"))
    await until_waiting(service)
    await redis.client_kill_filter(_type="pubsub")
    await work(ctx)
    assert (await _finish(poll)).json["state"] == "completed"


async def test_a_poll_ends_soon_after_its_job_while_redis_hangs(
    ctx: Context, settings: Settings, servers: TestServers, tmp_path: Path
) -> None:
    behind = settings.model_copy(update={"redis_url": f"unix://{tmp_path / 'valkey'}"})
    async with (
        proxy(tmp_path / "valkey", servers.redis_socket) as valkey,
        serve(behind) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        client = await make_client(ctx, session)
        await client.get("/v1/jobs")
        valkey.silent = True
        response = await client.submit_items([contact(1)])
        poll = asyncio.create_task(client.get(f"{response.headers['Location']}?wait={LONG}"))
        await until_waiting(service)
        await work(ctx)
        assert (await _finish(poll)).json["state"] == "completed"
        valkey.cut()


async def test_a_request_for_a_small_job_does_not_wait_on_when_the_process_stops(
    service: Service, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        accept, "SMALL_JOB_SECONDS", LONG
    )  # it waits for the end, before it waits for the disk
    waiting = asyncio.create_task(client.submit_items([contact(1)], Prefer=f"wait={LONG}"))
    await until_waiting(service)
    service.api.ended.close()
    assert (await _finish(waiting)).status == 202
