"""The window of reads, and the window that a response reports: the one that its request was charged to."""

import asyncio
import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple
from urllib.parse import quote

import aiohttp
import pytest
from redis.asyncio import Redis

from api.http.views import limits_view
from api.route import Route
from api.routes import ROUTES
from schemas.settings import Settings
from storage.breaker import CALL_SECONDS, PAUSE_SECONDS
from storage.context import Context
from tests.factories import contact
from tests.integration.api.service import Client, Response, make_client, serve
from tests.integration.api.work import work
from tests.proxy import Proxy, proxy
from tests.servers import TestServers
from tests.waiting import until

HEADERS = ("RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
PRIVATE = [route for route in ROUTES if not route.public and not route.uncounted]


@asynccontextmanager
async def _serving(settings: Settings, **change: object) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        serve(settings.model_copy(update=change)) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        yield session


def _limit_headers(response: Response) -> list[str]:
    return [name for name in HEADERS if name in response.headers]


def _check_limit_headers(response: Response, kind: str, limit: int, remaining: int) -> None:
    reset = response.headers["X-RateLimit-Reset"]
    assert response.headers["RateLimit-Policy"] == f'"{kind}";q={limit};w=60'
    assert response.headers["RateLimit"] == f'"{kind}";r={remaining};t={reset}'
    assert response.headers["X-RateLimit-Limit"] == str(limit)
    assert response.headers["X-RateLimit-Remaining"] == str(remaining)
    assert 0 < int(reset) <= 60


@pytest.mark.parametrize("route", PRIVATE, ids=lambda route: f"{route.method} {route.path}")
async def test_every_private_route_charges_its_window_once_and_reports_it(
    ctx: Context, session: aiohttp.ClientSession, route: Route
) -> None:
    client = await make_client(ctx, session, request_limit=30)
    path = re.sub(r"{[^}]*}", "unknown", route.path)
    kind, limit = ("requests", 30) if route.bulk else ("reads", 1200)
    for used in (1, 2):
        response = await client.call(route.method, path)
        assert response.status < 500
        _check_limit_headers(response, kind, limit, limit - used)


@pytest.mark.parametrize("accept", ["text/csv", "application/x-ndjson"])
@pytest.mark.parametrize("what", ["errors", "results"])
async def test_a_stream_reports_its_window(ctx: Context, client: Client, what: str, accept: str) -> None:
    job = await client.submit_items([contact(1)])
    await work(ctx)
    response = await client.get(f"{job.headers['Location']}/{what}", Accept=accept)
    assert (response.status, response.headers["Content-Type"]) == (200, f"{accept}; charset=utf-8")
    _check_limit_headers(response, "reads", 1200, 1199)


async def test_a_500_reports_its_window(ctx: Context, client: Client) -> None:
    await ctx.pool.execute("ALTER TABLE jobs RENAME TO somewhere_else")
    response = await client.get("/v1/jobs")
    assert response.status == 500
    _check_limit_headers(response, "reads", 1200, 1199)


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("GET", "/nowhere", None, 404),
        ("DELETE", "/v1/jobs", None, 405),
        ("GET", "/v1/jobs", "wrong", 401),
        ("GET", "/healthz", None, 200),
    ],
)
async def test_a_response_without_an_account_reports_no_window(
    client: Client, method: str, path: str, key: str | None, status: int
) -> None:
    response = await client.call(method, path, headers={"Authorization": key or client.key})
    assert (response.status, _limit_headers(response)) == (status, [])


async def test_a_read_over_the_limit_is_refused_and_passes_after_retry_after(
    ctx: Context, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_view, "READ_SECONDS", 2)
    clock = asyncio.get_running_loop().time
    async with _serving(settings, read_limit=3) as session:
        client = await make_client(ctx, session)
        began = clock()
        responses = [await client.get("/v1/jobs") for _ in range(4)]
        assert [response.status for response in responses] == [200, 200, 200, 429]
        refused = responses[3]
        assert (refused.error["type"], refused.error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
        assert refused.headers["X-RateLimit-Remaining"] == "0"
        seconds = int(refused.headers["Retry-After"])
        assert math.ceil(began + 2 - clock()) <= seconds <= 2
        refused_at = clock()
        await until(lambda: _passes(client), seconds=5)
        assert clock() - began >= 2
        assert clock() - refused_at <= seconds + 1


async def _passes(client: Client) -> bool:
    return (await client.get("/v1/jobs")).status == 200


async def test_reads_and_bulk_requests_have_separate_windows(ctx: Context, settings: Settings) -> None:
    async with _serving(settings, read_limit=2) as session:
        client = await make_client(ctx, session, request_limit=2)
        submit = partial(client.submit_items, [contact(1)])
        read = partial(client.get, "/v1/jobs")
        statuses = [(await call()).status for call in (read, submit, read, read, submit, submit)]
        assert statuses == [200, 202, 200, 429, 202, 429]


async def test_the_read_limit_of_one_account_does_not_affect_others(ctx: Context, settings: Settings) -> None:
    async with _serving(settings, read_limit=1) as session:
        client, other = await make_client(ctx, session), await make_client(ctx, session)
        assert [(await client.get("/v1/jobs")).status for _ in range(2)] == [200, 429]
        assert (await other.get("/v1/jobs")).status == 200


async def test_without_a_read_limit_no_window_is_reported(ctx: Context, settings: Settings) -> None:
    async with _serving(settings, read_limit=0) as session:
        response = await (await make_client(ctx, session)).get("/v1/jobs")
    assert (response.status, _limit_headers(response)) == (200, [])


async def test_the_read_window_is_empty_after_a_flush_of_redis(client: Client, redis: Redis) -> None:
    for _ in range(2):
        response = await client.get("/v1/jobs")
    _check_limit_headers(response, "reads", 1200, 1198)
    await redis.flushall()
    _check_limit_headers(await client.get("/v1/jobs"), "reads", 1200, 1199)


async def test_a_read_calls_redis_once_even_with_an_empty_window(
    ctx: Context, session: aiohttp.ClientSession, redis: Redis
) -> None:
    await (await make_client(ctx, session)).get("/v1/jobs")  # loads the script
    client = await make_client(ctx, session)
    before = await _script_calls(redis)
    for _ in range(3):
        await client.get("/v1/jobs")
    assert await _script_calls(redis) == before + 3


async def _script_calls(redis: Redis) -> int:
    stats = await redis.info("commandstats")
    return int(stats["cmdstat_evalsha"]["calls"])


class ProxiedApi(NamedTuple):
    """A client of an api that reaches Valkey through a proxy, and the proxy."""

    client: Client
    valkey: Proxy


@pytest.fixture
async def proxied(ctx: Context, settings: Settings, servers: TestServers) -> AsyncIterator[ProxiedApi]:
    """Run an api that reaches Valkey through a proxy."""
    path = servers.redis_socket.parent / "proxy.valkey"
    async with (
        proxy(path, servers.redis_socket) as valkey,
        _serving(settings, redis_url=f"unix://{quote(str(path))}") as session,
    ):
        yield ProxiedApi(await make_client(ctx, session), valkey)


@pytest.mark.parametrize("how", ["gone", "silent"])
async def test_without_redis_reads_continue_without_delay(proxied: ProxiedApi, how: str) -> None:
    client, valkey = proxied
    assert _limit_headers(await client.get("/v1/jobs"))
    calls = 0

    def count(data: bytes) -> bool:
        nonlocal calls
        calls += data.lower().count(b"evalsha")
        return False

    valkey.cut_at = count
    if how == "gone":
        await valkey.stop()
    else:
        valkey.silent = True
    clock = asyncio.get_running_loop().time
    began = clock()
    async with asyncio.timeout(30):
        responses = [await client.get("/v1/jobs") for _ in range(50)]
    elapsed = clock() - began
    assert {response.status for response in responses} == {200}
    assert [_limit_headers(response) for response in responses] == [[]] * 50
    assert elapsed < 10 * CALL_SECONDS  # 50 times, if every request waited for the timeout
    assert calls <= 2 + elapsed / PAUSE_SECONDS
    valkey.silent = False
    valkey.cut_at = lambda _: False
    if how == "gone":
        await valkey.start()

    async def reports() -> bool:
        return bool(_limit_headers(await client.get("/v1/jobs")))

    await until(reports)
