"""A 202 means that the job is committed, even if PostgreSQL or Valkey fails at any moment."""

import asyncio
import json
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
from tests.integration.api.raw_upload import until_true
from tests.integration.api.service import Client, Response, Service, make_client, serve
from tests.integration.api.work import work
from tests.proxy import Proxy, proxy
from tests.servers import TestServers


class ProxiedApi(NamedTuple):
    """An api that reaches its servers through proxies."""

    service: Service
    client: Client
    postgres: Proxy
    valkey: Proxy


@pytest.fixture
async def proxied(ctx: Context, settings: Settings, servers: TestServers) -> AsyncIterator[ProxiedApi]:
    """Run an api that reaches both servers through proxies, with a client that has a request limit of 2."""
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
        yield ProxiedApi(service, client, postgres, valkey)


async def _stored_jobs(ctx: Context) -> int:
    count: int = await ctx.pool.fetchval("SELECT count(*) FROM jobs")
    return count


async def _submit(ctx: Context, client: Client, size: str, **headers: str) -> Response:
    """Submit a small job, or one whose key is reserved because its body has not arrived yet."""
    items = [contact(1), contact(2)]
    if size == "small":
        return await client.submit_items(items, **headers)

    async def body() -> AsyncIterator[bytes]:
        for item in items:
            yield json.dumps(item).encode() + b"\n"
            await until_true(ctx, "SELECT count(*) FROM jobs WHERE state = 'receiving'")

    return await client.submit(body(), "application/x-ndjson", Idempotency_Key="a", **headers)


class Commit:
    """Recognises what accepts a job: a small one by the statement that stores it, others by a COMMIT."""

    def __init__(self, size: str) -> None:
        self._size = size
        self._accepts = False

    def __call__(self, data: bytes) -> bool:
        if self._size == "small":
            return phone(1).encode() in data
        self._accepts = self._accepts or b"split_parts" in data
        return self._accepts and b"COMMIT" in data


SIZES = pytest.mark.parametrize("size", ["small", "reserved"])


@SIZES
async def test_a_lost_connection_before_the_commit_is_a_503_and_no_job(
    ctx: Context, proxied: ProxiedApi, size: str
) -> None:
    await ctx.pool.execute("UPDATE accounts SET request_limit = 0")  # the admission has a COMMIT of its own
    proxied.postgres.cut_at = Commit(size)
    response = await _submit(ctx, proxied.client, size)
    assert (response.status, response.error["type"], response.error["code"]) == (
        503,
        "api_error",
        "unavailable",
    )
    assert int(response.headers["Retry-After"]) > 0
    proxied.postgres.cut_at = lambda _: False
    await until_true(ctx, "SELECT count(*) = 0 FROM jobs WHERE state <> 'failed'")
    assert (await _submit(ctx, proxied.client, size)).status == 202
    assert await ctx.pool.fetchval("SELECT count(*) FROM jobs WHERE state = 'queued'") == 1


async def test_a_refused_transaction_is_a_500_and_no_job(ctx: Context, client: Client) -> None:
    await ctx.pool.execute("ALTER TABLE chunks ADD CONSTRAINT refuse CHECK (items < 2)")
    response = await client.submit_items([contact(1), contact(2)])
    assert (response.status, response.error["code"]) == (500, "internal_error")
    assert response.error["request_id"] == response.headers["X-Request-Id"]
    assert await _stored_jobs(ctx) == 0


async def test_a_failure_at_commit_is_a_500_and_no_job(ctx: Context, client: Client) -> None:
    """A deferred constraint fails at COMMIT itself, so a response before the COMMIT would be wrong."""
    await ctx.pool.execute(
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;
        CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON chunks DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION refuse();
        """
    )
    assert (await client.submit_items([contact(1)])).status == 500
    assert await _stored_jobs(ctx) == 0


async def test_a_job_that_is_not_on_disk_is_asked_for_until_postgres_responds(
    ctx: Context, proxied: ProxiedApi
) -> None:
    """The COMMIT of a small job whose client waits does not wait for the disk."""
    await ctx.pool.execute("UPDATE accounts SET request_limit = 0")  # the admission has a COMMIT of its own
    cut = 0

    def twice(data: bytes) -> bool:
        nonlocal cut
        if b"emit_message" not in data or cut == 2:
            return False
        cut += 1
        return True

    proxied.postgres.cut_at = twice
    response = await _submit(ctx, proxied.client, "small", Prefer="wait=5")
    assert response.status == 202, response.body
    assert cut == 2
    assert response.json == await proxied.client.job(response)


async def test_a_job_that_may_not_be_on_disk_is_a_503_while_postgres_is_away(
    ctx: Context, proxied: ProxiedApi
) -> None:
    await ctx.pool.execute("UPDATE accounts SET request_limit = 0")
    proxied.postgres.cut_at = lambda data: b"emit_message" in data
    response = await _submit(ctx, proxied.client, "small", Prefer="wait=1")
    assert (response.status, response.error["code"]) == (503, "unavailable")


@SIZES
async def test_a_committed_job_is_a_202_although_postgres_fails_right_after(
    ctx: Context, proxied: ProxiedApi, size: str
) -> None:
    await ctx.pool.execute("UPDATE accounts SET request_limit = 0")  # the admission has a COMMIT of its own
    commits = Commit(size)
    committed = False

    def after_the_commit(data: bytes) -> bool:
        nonlocal committed
        was = committed
        committed = committed or (b"emit_message" in data if size == "reserved" else commits(data))
        return was

    proxied.postgres.cut_at = after_the_commit
    # a small job of a client that waits is not on disk yet: see the test above
    waits = {"Prefer": "wait=1"} if size == "reserved" else {}
    response = await _submit(ctx, proxied.client, size, **waits)
    assert response.status == 202, response.body
    proxied.postgres.cut_at = lambda _: False
    job = await proxied.client.job(response)
    assert response.json == job


async def test_without_postgres_the_response_is_a_503_with_retry_after(proxied: ProxiedApi) -> None:
    await proxied.postgres.stop()
    for response in (
        await proxied.client.submit_items([contact(1)]),
        await proxied.client.get("/v1/jobs"),
        await proxied.client.get("/v1/jobs/job_01M80A35WZVGQE1712870G8496"),
    ):
        assert (response.status, response.error["code"]) == (503, "unavailable")
        assert int(response.headers["Retry-After"]) > 0
    ready = await proxied.client.get("/readyz")
    assert (ready.status, ready.json["postgres"], ready.json["redis"]) == (503, False, True)
    assert int(ready.headers["Retry-After"]) > 0
    assert (await proxied.client.get("/healthz")).status == 200
    await proxied.postgres.start()
    assert (await proxied.client.submit_items([contact(1)])).status == 202
    assert (await proxied.client.get("/readyz")).status == 200


async def test_postgres_lost_in_the_middle_of_a_long_upload_is_a_503(
    ctx: Context, proxied: ProxiedApi
) -> None:
    proxied.postgres.cut_at = lambda data: data.count(b"+1415") > 100
    body = b"phone\n" + b"".join(b"%s\n" % phone(n).encode() for n in range(300_000))
    response = await proxied.client.submit(body, "text/csv", Idempotency_Key="again")
    assert (response.status, response.error["code"]) == (503, "unavailable")
    proxied.postgres.behave()
    await until_true(ctx, "SELECT count(*) FROM jobs WHERE state = 'failed' AND idempotency_key IS NULL")
    assert await ctx.pool.fetchval("SELECT count(*) FROM parts") == 0
    assert (await proxied.client.submit(body, "text/csv", Idempotency_Key="again")).status == 202


@asynccontextmanager
async def _without_valkey(proxied: ProxiedApi, how: str) -> AsyncIterator[None]:
    if how == "gone":
        await proxied.valkey.stop()
    else:
        proxied.valkey.silent = True
    yield


@pytest.mark.parametrize("how", ["gone", "silent"])
async def test_without_valkey_a_job_is_accepted_and_postgres_counts_the_requests(
    ctx: Context, proxied: ProxiedApi, how: str
) -> None:
    assert (await proxied.client.submit_items([contact(0)])).status == 202
    async with asyncio.timeout(15), _without_valkey(proxied, how):
        response = await proxied.client.submit_items([contact(1)])
        assert (response.status, response.headers["X-RateLimit-Remaining"]) == (202, "0")
        refused = await proxied.client.submit_items([contact(2)])
    assert (refused.status, refused.error["code"]) == (429, "rate_limit_exceeded")
    assert 50 <= int(refused.headers["Retry-After"]) <= 60
    await work(ctx)
    assert await ctx.pool.fetchval("SELECT count(*) FROM contacts") == 2


async def test_without_valkey_readyz_reports_it(proxied: ProxiedApi) -> None:
    await proxied.valkey.stop()
    ready = await proxied.client.get("/readyz")
    assert (ready.status, ready.json["postgres"], ready.json["redis"]) == (200, True, False)
    assert ready.json["status"] == "degraded"


async def test_a_commit_waits_for_the_disk_whatever_the_server_is_set_to(
    ctx: Context, settings: Settings
) -> None:
    database = await ctx.pool.fetchval("SELECT current_database()")
    await ctx.pool.execute(f"ALTER DATABASE {database} SET synchronous_commit = off")
    async with serve(settings) as service:
        assert await service.api.ctx.pool.fetchval("SHOW synchronous_commit") == "on"
