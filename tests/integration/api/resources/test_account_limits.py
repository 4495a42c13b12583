"""GET /v1/limits: the windows and the queue of an account, read without a charge."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from api.http.views.limits_view import queue_use
from schemas.settings import Settings
from schemas.wire.account_limits import WindowUse
from storage.context import Context
from storage.pipeline.turns import Backlog, StreamBacklog
from storage.windows import grants
from tests.factories import contact, make_job
from tests.integration.api.service import Client, make_client, serve
from tests.integration.api.work import work
from tests.proxy import proxy
from tests.servers import TestServers

NOW = datetime(2026, 11, 27, tzinfo=UTC)
EMPTY_AT = NOW + timedelta(seconds=41)


async def _limits(client: Client) -> Any:
    response = await client.get("/v1/limits")
    assert response.status == 200, response.body
    return response.json


def _used(shown: Any) -> dict[str, int | None]:
    return {name: shown[name]["used"] for name in ("requests", "items", "reads")}


async def test_limits_show_the_use_of_the_windows_and_the_queue(
    ctx: Context, session: aiohttp.ClientSession
) -> None:
    client = await make_client(ctx, session, request_limit=30, item_limit=50)
    assert _used(await _limits(client)) == {"requests": 0, "items": 0, "reads": 1}
    assert (await client.submit_items([contact(n) for n in range(40)])).status == 202
    await work(ctx)
    assert (await client.submit_items([contact(n) for n in range(40)])).status == 202
    await work(ctx)
    await make_job(ctx, client.account.id, [contact(1)], stream="label:1", split=False)
    shown = await _limits(client)
    assert _used(shown) == {"requests": 2, "items": 50, "reads": 2}
    assert (shown["items"]["limit"], shown["items"]["remaining"]) == (50, 0)
    now = datetime.now(UTC)
    for name in ("requests", "items", "reads"):
        assert now < datetime.fromisoformat(shown[name]["empty_at"]) <= now + timedelta(seconds=60), name
    assert shown["unfinished_jobs"] == {"limit": 1000, "used": 2}
    queue = shown["queue"]
    assert (queue["jobs"], queue["items"], queue["uncounted_jobs"]) == (2, 30, 1)
    assert {stream["stream"]: stream["items"] for stream in queue["streams"]} == {
        "contacts": 30,
        "label:1": 0,
    }
    assert datetime.fromisoformat(queue["estimated_end"]) > now
    assert shown["degraded"] is False


async def test_a_look_charges_nothing_and_writes_nothing(
    ctx: Context, session: aiohttp.ClientSession
) -> None:
    client = await make_client(ctx, session, request_limit=30, item_limit=50)
    keys = f"bulklane:window:{{{client.account.id}}}:items*"
    await _limits(client)
    assert await ctx.queue.redis.keys(keys) == []  # a look does not fill a window with nothing in it
    await client.submit_items([contact(1)])
    await work(ctx)
    log, state = sorted(await ctx.queue.redis.keys(keys))
    before = [await ctx.queue.redis.dump(key) for key in (log, state)]
    assert [(await _limits(client))["items"]["used"] for _ in range(3)] == [1, 1, 1]
    assert [await ctx.queue.redis.dump(key) for key in (log, state)] == before
    await ctx.queue.redis.flushall()
    assert (await _limits(client))["items"]["used"] == 1  # from PostgreSQL
    assert await ctx.queue.redis.keys(keys) == []


async def test_limits_are_shown_without_redis(ctx: Context, settings: Settings, servers: TestServers) -> None:
    path = servers.redis_socket.parent / "limits.valkey"
    through = settings.model_copy(update={"redis_url": f"unix://{quote(str(path))}"})
    async with (
        proxy(path, servers.redis_socket) as valkey,
        serve(through) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        client = await make_client(ctx, session, item_limit=50)
        await client.submit_items([contact(n) for n in range(20)])
        await work(ctx)
        assert (await _limits(client))["degraded"] is False
        await valkey.stop()
        shown = await _limits(client)
    assert shown["degraded"] is True
    assert _used(shown) == {"requests": None, "items": 20, "reads": None}


async def test_stored_grants_leave_the_window_when_they_are_older_than_it(
    ctx: Context, client: Client
) -> None:
    sql = """INSERT INTO grants (account_id, at, items, redis_at, postgres_at)
             SELECT $1, t, n, t, t FROM (VALUES (90, 5), (50, 7), (10, 11)) v (age, n),
             LATERAL (SELECT clock_timestamp() - make_interval(secs => age) AS t) x"""
    await ctx.pool.execute(sql, client.account.id)
    for seconds, items in ((60, 18), (20, 11), (100, 23), (5, 0)):
        used = await grants.used(ctx.pool, client.account.id, seconds)
        assert used.items == items
        assert used.reset_seconds == (pytest.approx(seconds - 10, abs=3) if items else 0)


@pytest.mark.parametrize(
    ("items", "pace", "limit", "remaining", "seconds"),
    [
        (0, 0.0, 0, None, None),  # nothing to do
        (500, 0.0, 0, None, None),  # nothing is known
        (500, 100.0, 0, None, 5),
        (500, 100.0, 1000, 500, 5),  # the window allows all of it now
        (5000, 1000.0, 1000, 1000, 240),  # four more windows of 60 s
        (5000, 10.0, 1000, 1000, 500),
        (500, 0.0, 1000, 500, None),
        (1500, 0.0, 1000, 500, 60),
        (30, 10.0, 50, 0, 41),  # the window is empty in 41 s
    ],
)
def test_the_estimate_is_the_slower_of_pace_and_window(
    items: int, pace: float, limit: int, remaining: int | None, seconds: int | None
) -> None:
    stream = StreamBacklog(
        stream="contacts", jobs=1, uncounted=0, items=items, pace=pace, throttled_until=None
    )
    window = WindowUse(
        limit=limit,
        window_seconds=60,
        used=None,
        remaining=remaining,
        empty_at=EMPTY_AT if remaining == 0 else None,
    )
    queue = queue_use(Backlog(receiving=0, streams=(stream,)), window, NOW)
    assert queue.estimated_end == (None if seconds is None else NOW + timedelta(seconds=seconds))
