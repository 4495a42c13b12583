"""How an account is looked at for its streams, and what a slow or silent stream is sent."""

import asyncio
import socket

import aiohttp
import pytest

from api.feeds import event_feed, event_reader
from api.feeds.event_follower import Follower
from api.http import hearing
from schemas.ids import AccountId, show_job_id
from storage.context import Context
from storage.pipeline import changes
from storage.pipeline.changes import Cursor
from storage.postgres.pool import Pool
from tests.changing_jobs import CHANGE_JOB, make_jobs
from tests.event_reader import SOON, EventReader, Sent
from tests.integration.api.following import following
from tests.integration.api.service import Client, Service, make_client
from tests.waiting import until

CHANGE_JOBS = "UPDATE jobs SET total = total + 1 WHERE account_id = $1"


async def test_what_changes_while_a_stream_catches_up_follows(
    ctx: Context, client: Client, service: Service
) -> None:
    ids = await make_jobs(ctx, client.account.id, 2)
    feeds = service.api.feeds
    async with following(client, "/v1/events") as stream:
        place = stream.last_id
    await ctx.pool.execute(CHANGE_JOB, client.account.id, ids[0])
    for _ in range(event_reader.READS_AT_ONCE):
        await feeds.reader.reads.acquire()  # so the stream does not read yet what it has missed
    async with following(client, "/v1/events", place) as stream:
        await ctx.pool.execute(CHANGE_JOB, client.account.id, ids[1])
        now = await changes.now(ctx.pool)

        async def looked() -> bool:
            feeds.change(client.account.id)
            [feed] = feeds.all
            return feed.cursor is not None and feed.cursor.includes(now)

        await until(looked)
        for _ in range(event_reader.READS_AT_ONCE):
            feeds.reader.reads.release()
        events = [await stream.next(), await stream.next()]
    assert [event and event.data["id"] for event in events] == list(map(show_job_id, ids))


async def test_two_accounts_that_are_followed_see_their_own_jobs(
    ctx: Context, client: Client, service: Service, session: aiohttp.ClientSession
) -> None:
    other = await make_client(ctx, session)
    async with following(client, "/v1/events") as stream, following(other, "/v1/events") as other_stream:
        for each, followed in ((other, other_stream), (client, stream)):
            [job_id] = await make_jobs(ctx, each.account.id, 1)
            await ctx.pool.execute(CHANGE_JOB, each.account.id, job_id)
            service.api.feeds.change(each.account.id)
            event = await followed.next()
            assert event
            assert event.data["id"] == show_job_id(job_id)


async def test_a_look_that_failed_is_repeated(
    ctx: Context, client: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "LOOK_SECONDS", 1_000.0)
    [job_id] = await make_jobs(ctx, client.account.id, 1)
    read, failed = changes.read, asyncio.Event()

    async def fail_once(pool: Pool, account_id: AccountId, after: Cursor) -> changes.Changes:
        if failed.is_set():
            return await read(pool, account_id, after)
        failed.set()
        raise ConnectionError

    async with following(client, "/v1/events") as stream:
        monkeypatch.setattr(changes, "read", fail_once)
        await ctx.pool.execute(CHANGE_JOB, client.account.id, job_id)
        service.api.feeds.change(client.account.id)
        event = await stream.next()
    assert failed.is_set()
    assert event is not None


async def test_a_silent_stream_has_signs_of_life(client: Client, service: Service) -> None:
    async with client.open("GET", "/v1/events") as response:
        lines = aiter(response.content)
        async with asyncio.timeout(SOON):
            assert (await anext(lines)).startswith(b"retry: 1")
            await until(lambda: _live(service))
            await service.api.feeds.beat()
            while await anext(lines) != b":\n":
                pass


async def _live(service: Service) -> bool:
    return all(follower.live for follower in _followers(service))


def _followers(service: Service) -> list[Follower]:
    return [follower for feed in service.api.feeds.all for follower in feed.followers]


async def test_changes_that_nobody_announces_are_found_and_those_of_a_moment_are_one_event(
    ctx: Context, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(event_feed, "EVERY_SECONDS", 1.0)
    [job_id] = await make_jobs(ctx, client.account.id, 1)
    async with following(client, f"/v1/jobs/{show_job_id(job_id)}/events") as stream:
        seen: list[Sent] = []
        for _ in range(20):
            await ctx.pool.execute(CHANGE_JOBS, client.account.id)
        while not seen or seen[-1].data["total"] < 20:
            event = await stream.next()
            assert event
            seen.append(event)
    assert len(seen) < 20


async def test_a_look_that_failed_is_repeated_at_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise ConnectionError

    monkeypatch.setattr(service.api.feeds, "find_changes", fail)
    monkeypatch.setattr(service.api.hearing, "_looked", 0.0)
    monkeypatch.setattr(hearing, "LOOK_SECONDS", asyncio.get_running_loop().time())  # it is time to look
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await service.api.hearing._look()


async def test_a_client_that_reads_slowly_gets_the_newest_state_of_each_job(
    ctx: Context, client: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has not taken is bounded, and it gets each job once more when it reads again."""
    monkeypatch.setattr(event_feed, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(event_feed, "MOST_UNSENT", 20_000)
    ids = await make_jobs(ctx, client.account.id, 40)
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port, limit=2**10)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    writer.write(f"GET /v1/events HTTP/1.0\r\nx-api-key: {client.key}\r\n\r\n".encode())
    async with asyncio.timeout(SOON):
        assert b"200 OK" in await reader.readline()
        await until(lambda: _live(service))
    [follower] = _followers(service)
    transport = follower.transport
    assert transport
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    rounds = 0
    while not follower.behind or rounds < 30:
        await ctx.pool.execute(CHANGE_JOBS, client.account.id)
        service.api.feeds.change(client.account.id)
        rounds += 1
        await asyncio.sleep(0)
        assert transport.get_write_buffer_size() <= 20_000 + 2_000
    seen: list[tuple[str, int]] = []
    stream = EventReader(aiter(reader))
    while {total for _, total in seen[-len(ids) :]} != {rounds} or len(seen) < len(ids):
        event = await stream.next()
        assert event
        seen.append((event.data["id"], event.data["total"]))
    assert len(set(seen)) == len(seen)
    assert {job for job, total in seen if total == rounds} == set(map(show_job_id, ids))
    assert len(seen) < rounds * len(ids)
    writer.transport.abort()
