"""Wrong keys are limited per address; a valid key of the same address is not refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_request

from api.middleware import failed_keys
from api.middleware.failed_keys import FailedKeys, address_of
from schemas.errors import RateLimited
from schemas.settings import Settings
from storage.context import Context
from tests.integration.api.service import Client, make_client, serve


@asynccontextmanager
async def client_of(ctx: Context, settings: Settings, **change: int) -> AsyncIterator[Client]:
    """Serve with other settings."""
    async with (
        serve(settings.model_copy(update=change)) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        yield await make_client(ctx, session)


async def test_many_wrong_keys_of_an_address_are_a_429(ctx: Context, settings: Settings) -> None:
    async with client_of(ctx, settings, failed_key_limit=5) as client:
        responses = [await client.get("/v1/jobs", Authorization="bl_1_wrong") for _ in range(7)]
        assert [response.status for response in responses] == [401] * 5 + [429] * 2
        refused = responses[-1]
        assert refused.error["code"] == "too_many_failed_keys"
        assert 1 <= int(refused.headers["Retry-After"]) <= 12
        assert (await client.get("/v1/jobs")).status == 200
        assert (await client.get("/healthz")).status == 200


async def test_a_request_without_a_key_does_not_count(ctx: Context, settings: Settings) -> None:
    async with client_of(ctx, settings, failed_key_limit=1) as client:
        for _ in range(5):
            response = await client.get("/v1/jobs", Authorization="")
            assert (response.status, response.error["code"]) == (401, "missing_api_key")


async def test_each_client_behind_a_trusted_proxy_is_counted(ctx: Context, settings: Settings) -> None:
    """The entry that the proxy has added counts. An entry further left is the client's own invention."""
    async with client_of(ctx, settings, failed_key_limit=1, trusted_proxies=1) as client:
        statuses = [
            (await client.get("/v1/jobs", Authorization="bl_1_wrong", X_Forwarded_For=forwarded)).status
            for forwarded in ("192.0.2.1", "192.0.2.2", "10.9.9.9, 192.0.2.1", "10.8.8.8, 192.0.2.2")
        ]
    assert statuses == [401, 401, 429, 429]


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address"),
    [
        (0, "192.0.2.1", ""),
        (1, "192.0.2.1", "192.0.2.1"),
        (1, "192.0.2.9, 192.0.2.1", "192.0.2.1"),
        (2, "192.0.2.9, 192.0.2.1", "192.0.2.9"),
        (2, "192.0.2.1", ""),
        (1, "not an address", ""),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ],
)
def test_the_address_is_the_one_that_the_proxy_saw(trusted: int, forwarded: str, address: str) -> None:
    request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": forwarded})
    assert address_of(request, trusted) == (address or request.remote or "")


async def test_the_memory_of_addresses_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_keys, "MOST_ADDRESSES", 5)
    failed = FailedKeys(Settings(trusted_proxies=1))
    for number in range(20):
        failed.count(make_mocked_request("GET", "/", headers={"X-Forwarded-For": f"192.0.2.{number}"}))
    assert len(failed._buckets) == 5


async def test_the_bucket_fills_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    failed = FailedKeys(Settings(failed_key_limit=2))
    request = make_mocked_request("GET", "/")
    failed.count(request)
    failed.count(request)
    with pytest.raises(RateLimited) as refused:
        failed.count(request)
    assert refused.value.retry_after == 30
    now += 30
    failed.count(request)
