"""202 means committed; whatever is away, the response is an honest one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

import aiohttp
import pytest

from schemas.settings import Settings
from storage.context import Context
from tests.factories import contact, phone
from tests.integration.api.proxy import Proxy, proxy
from tests.integration.api.service import Client, Service, make_client, serve
from tests.integration.api.work import work
from tests.servers import TestServers


class Behind(NamedTuple):
    """An api that reaches its servers through proxies."""

    service: Service
    client: Client
    postgres: Proxy
    valkey: Proxy


@pytest.fixture
async def behind(ctx: Context, settings: Settings, servers: TestServers) -> AsyncIterator[Behind]:
    """Both servers, each behind a proxy, and a client of an account with an admission window."""
    assert settings.database_url is not None
    sockets = servers.redis_socket.parent
    host = Path(parse_qs(urlsplit(settings.database_url).query)["host"][0])
    name = ".s.PGSQL.5432"
    folder = sockets / "proxy"
    folder.mkdir(exist_ok=True)
    urls = {
        "database_url": settings.database_url.replace(quote(str(host), safe=""), quote(str(folder), safe="")),
        "redis_url": f"unix://{quote(str(folder / 'valkey'))}",
    }
    async with (
        proxy(folder / name, host / name) as postgres,
        proxy(folder / "valkey", servers.redis_socket) as valkey,
        serve(settings.model_copy(update=urls)) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        client = await make_client(ctx, session, request_limit=2)
        yield Behind(service, client, postgres, valkey)


async def _stored_jobs(ctx: Context) -> int:
    count: int = await ctx.pool.fetchval("SELECT count(*) FROM jobs")
    return count


async def test_a_lost_connection_before_the_commit_is_a_503_and_no_job(ctx: Context, behind: Behind) -> None:
    behind.postgres.cut_at = lambda data: b"COMMIT" in data
    response = await behind.client.submit_items([contact(1)])
    assert (response.status, response.error["type"], response.error["code"]) == (
        503,
        "api_error",
        "unavailable",
    )
    assert int(response.headers["Retry-After"]) > 0
    assert await _stored_jobs(ctx) == 0
    behind.postgres.cut_at = lambda _: False
    assert (await behind.client.submit_items([contact(1)])).status == 202
    assert await _stored_jobs(ctx) == 1


async def test_a_refused_transaction_is_a_500_and_no_job(ctx: Context, client: Client) -> None:
    await ctx.pool.execute("ALTER TABLE chunks ADD CONSTRAINT refuse CHECK (items < 2)")
    response = await client.submit_items([contact(1), contact(2)])
    assert (response.status, response.error["code"]) == (500, "internal_error")
    assert response.error["request_id"] == response.headers["X-Request-Id"]
    assert await _stored_jobs(ctx) == 0


async def test_a_refusal_at_the_commit_is_no_202(ctx: Context, client: Client) -> None:
    """A deferred constraint fails at COMMIT itself: no response may be sent before it."""
    await ctx.pool.execute(
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;
        CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON chunks DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION refuse();
        """
    )
    assert (await client.submit_items([contact(1)])).status == 500
    assert await _stored_jobs(ctx) == 0


async def test_an_accepted_job_is_a_202_though_postgres_goes_away_right_after(
    ctx: Context, behind: Behind
) -> None:
    committed = False

    def behind_the_commit(data: bytes) -> bool:
        nonlocal committed
        was, committed = committed, committed or b"COMMIT" in data
        return was

    behind.postgres.cut_at = behind_the_commit
    response = await behind.client.submit_items([contact(1), contact(2)])
    assert response.status == 202, response.body
    behind.postgres.cut_at = lambda _: False
    job = await behind.client.job(response)
    for same in ("id", "state", "total", "counts", "request_id", "stream", "errors_url"):
        assert response.json[same] == job[same]


async def test_postgres_away_is_a_503_with_retry_after(behind: Behind) -> None:
    await behind.postgres.stop()
    for response in (
        await behind.client.submit_items([contact(1)]),
        await behind.client.get("/v1/jobs"),
        await behind.client.get("/v1/jobs/job_01M80A35WZVGQE1712870G8496"),
    ):
        assert (response.status, response.error["code"]) == (503, "unavailable")
        assert int(response.headers["Retry-After"]) > 0
    ready = await behind.client.get("/readyz")
    assert (ready.status, ready.json["postgres"], ready.json["redis"]) == (503, False, True)
    assert (await behind.client.get("/healthz")).status == 200
    await behind.postgres.start()
    assert (await behind.client.submit_items([contact(1)])).status == 202
    assert (await behind.client.get("/readyz")).status == 200


async def test_postgres_lost_in_the_middle_of_a_long_upload_is_a_503(ctx: Context, behind: Behind) -> None:
    behind.postgres.cut_at = lambda data: data.count(b"+1415") > 100
    body = b"phone\n" + b"".join(b"%s\n" % phone(n).encode() for n in range(300_000))
    response = await behind.client.submit(body, "text/csv")
    assert (response.status, response.error["code"]) == (503, "unavailable")
    states = await ctx.pool.fetch("SELECT state FROM jobs")
    assert [row["state"] for row in states] == ["receiving"]  # its lease runs out: the reconciler ends it


@asynccontextmanager
async def _valkey_away(behind: Behind, how: str) -> AsyncIterator[None]:
    if how == "gone":
        await behind.valkey.stop()
    else:
        behind.valkey.silent = True
    yield


@pytest.mark.parametrize("how", ["gone", "silent"])
async def test_valkey_away_a_job_is_accepted_and_postgres_counts_the_requests(
    ctx: Context, behind: Behind, how: str
) -> None:
    assert (await behind.client.submit_items([contact(0)])).status == 202
    async with asyncio.timeout(15), _valkey_away(behind, how):
        response = await behind.client.submit_items([contact(1)])
        assert (response.status, response.headers["X-RateLimit-Remaining"]) == (202, "0")
        refused = await behind.client.submit_items([contact(2)])
    assert (refused.status, refused.error["code"]) == (429, "rate_limit_exceeded")
    assert 50 <= int(refused.headers["Retry-After"]) <= 60
    await work(ctx)
    assert await ctx.pool.fetchval("SELECT count(*) FROM contacts") == 2


async def test_valkey_away_readyz_says_so(behind: Behind) -> None:
    await behind.valkey.stop()
    ready = await behind.client.get("/readyz")
    assert (ready.status, ready.json["postgres"], ready.json["redis"]) == (503, True, False)
