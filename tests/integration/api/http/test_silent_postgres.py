"""A PostgreSQL that keeps its connections and answers nothing: 503 at once, and work continues afterwards."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from api.http import context
from schemas.settings import Settings
from storage.context import Context
from storage.postgres.pool import COMMAND_SECONDS
from tests.factories import contact
from tests.integration.api.service import Client, Response, Service, make_client, serve
from tests.proxy import Proxy, postgres_proxy
from tests.waiting import until

REFUSED_SECONDS = COMMAND_SECONDS / 2  # far below the time limit of a statement, also on a busy machine


@pytest.fixture
async def line_and_url(settings: Settings, tmp_path: Path) -> AsyncIterator[tuple[Proxy, str]]:
    """Run a proxy between the api and PostgreSQL."""
    assert settings.database_url is not None
    async with postgres_proxy(tmp_path, settings.database_url) as line_and_url:
        yield line_and_url


@pytest.fixture
def line(line_and_url: tuple[Proxy, str]) -> Proxy:
    """Return the proxy between the api and PostgreSQL."""
    return line_and_url[0]


@pytest.fixture
def through(settings: Settings, line_and_url: tuple[Proxy, str]) -> Settings:
    """Return the settings of an api that reaches PostgreSQL through the proxy."""
    return settings.model_copy(update={"database_url": line_and_url[1]})


@pytest.fixture
async def service(through: Settings) -> AsyncIterator[Service]:
    """Run an api that reaches PostgreSQL through the proxy."""
    async with serve(through) as service:
        yield service


async def test_every_request_is_a_503_while_postgres_is_silent(line: Proxy, client: Client) -> None:
    job = (await client.submit_items([contact(1)])).headers["Location"]
    line.silent = True
    async with asyncio.timeout(REFUSED_SECONDS):
        responses = await asyncio.gather(
            *(client.get(job) for _ in range(30)),
            *(client.submit_items([contact(2)]) for _ in range(30)),
            client.call("POST", f"{job}/cancel"),
        )
    for response in responses:
        _assert_unavailable(response)
    line.behave()
    await until(lambda: _is_ready(client))
    assert (await client.get(job)).status == 200


@pytest.mark.parametrize(
    ("method", "path", "statement"),
    [
        ("GET", "/v1/labels", b"FROM labels"),  # by itself
        ("POST", "/v1/bulk/contacts.upsert", b"INSERT INTO parts"),  # in a transaction
    ],
)
async def test_one_half_open_connection_is_a_503_and_is_replaced(
    line: Proxy, client: Client, method: str, path: str, statement: bytes
) -> None:
    options = {"json": [contact(1)]} if method == "POST" else {}
    line.half_open_at(statement)
    async with asyncio.timeout(REFUSED_SECONDS):
        _assert_unavailable(await client.call(method, path, **options))
    assert (await client.get("/readyz")).status == 200, "pings are answered"
    assert (await client.call(method, path, **options)).status in {200, 202}


async def test_readyz_names_the_silent_server(
    ctx: Context, line: Proxy, session: aiohttp.ClientSession
) -> None:
    client = await make_client(ctx, session)
    line.silent = True
    async with asyncio.timeout(REFUSED_SECONDS):
        response = await client.get("/readyz")
    assert (response.status, response.json["postgres"], response.json["redis"]) == (503, False, True)
    assert (await client.get("/healthz")).status == 200


async def test_the_api_stops_while_postgres_is_silent(line: Proxy, service: Service, client: Client) -> None:
    assert (await client.get("/v1/jobs")).status == 200
    line.silent = True
    async with asyncio.timeout(REFUSED_SECONDS):
        await service.runner.cleanup()


async def test_the_api_starts_while_postgres_is_away(
    ctx: Context, through: Settings, line: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "START_SECONDS", 0.0)
    await line.stop()
    async with (
        serve(through) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        client = await make_client(ctx, session)
        _assert_unavailable(await client.get("/v1/jobs"))
        assert not await _is_ready(client)
        await line.start()
        await until(lambda: _is_ready(client))
        assert (await client.get("/v1/jobs")).status == 200


async def _is_ready(client: Client) -> bool:
    return (await client.get("/readyz")).status == 200


def _assert_unavailable(response: Response) -> None:
    assert (response.status, response.error["code"]) == (503, "unavailable")
    assert int(response.headers["Retry-After"]) >= 1
