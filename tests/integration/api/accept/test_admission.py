"""The admission window of an account, and its number of unfinished jobs."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from redis.asyncio import Redis

from schemas.settings import Settings
from storage import pruning
from storage.context import Context
from storage.entities import accounts
from storage.entities.accounts import AccountChange
from storage.windows import admissions
from tests.factories import contact, make_account
from tests.integration.api.service import Client, Response, make_client, serve
from tests.integration.api.work import work
from tests.proxy import proxy
from tests.servers import TestServers

LATE = timedelta(milliseconds=250)  # the window's time may lag by what a request waited for the lock


async def _submit(client: Client) -> Response:
    return await client.submit_items([contact(1)])


async def _reach(ctx: Context, moment: datetime) -> None:
    """Wait until the clock of PostgreSQL has reached a moment."""
    await ctx.pool.execute("SELECT pg_sleep_until($1)", moment)


class Clock:
    """The clocks of PostgreSQL and of the api, which move only when `step` is called."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)

    def __call__(self) -> tuple[datetime, datetime]:
        return self._now, self._now

    def step(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


async def test_the_31st_request_in_60_seconds_passes_after_retry_after_and_not_a_second_earlier(
    ctx: Context, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(admissions, "read_clocks", clock)
    async with (
        serve(settings) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        client = await make_client(ctx, session, request_limit=None)  # the default limit
        other = await make_client(ctx, session, request_limit=None)
        for _ in range(30):
            assert (await _submit(client)).status == 202
            clock.step(0.1)
        clock.step(0.25)
        for step, retry_after in ((0, "57"), (56, "1"), (0.75, "1")):
            clock.step(step)
            refused = await _submit(client)
            assert (refused.status, refused.headers["Retry-After"]) == (429, retry_after)
            assert refused.error["message"].endswith(f" {retry_after} s")
            assert (await _submit(other)).status == 202
        clock.step(0.000_001)
        assert (await _submit(client)).status == 202
        assert (await _submit(client)).status == 429  # the second request came 0.1 s after the first


async def test_retry_after_is_exact_by_the_clock_of_the_server(
    ctx: Context, session: aiohttp.ClientSession
) -> None:
    client = await make_client(ctx, session, request_limit=30, window_seconds=4)
    other = await make_client(ctx, session, request_limit=30, window_seconds=4)
    responses = await asyncio.gather(*(_submit(client) for _ in range(30)))
    assert {response.status for response in responses} == {202}
    first = await ctx.pool.fetchval("SELECT min(at) FROM admissions WHERE account_id = $1", client.account.id)
    frees = first + timedelta(seconds=4, microseconds=1)
    await _reach(ctx, first + timedelta(seconds=1.15))  # leaves time for a slow response
    refused = await _submit(client)
    assert (refused.status, refused.error["type"]) == (429, "rate_limit_error")
    assert refused.error["code"] == "rate_limit_exceeded"
    assert refused.headers["Retry-After"] == "3"
    assert (await _submit(other)).headers["X-RateLimit-Remaining"] == "29"
    await _reach(ctx, frees - timedelta(seconds=0.5))
    assert (await _submit(client)).headers["Retry-After"] == "1"
    await _reach(ctx, frees + LATE)
    assert (await _submit(client)).status == 202
    assert len(await client.jobs()) == 31


async def test_every_response_reports_the_limits(ctx: Context, session: aiohttp.ClientSession) -> None:
    client = await make_client(ctx, session, request_limit=3, window_seconds=60)
    responses = [
        await _submit(client),
        await client.submit(b"nonsense", "application/json"),
        await client.submit_items([contact(1)], "?region=XX"),
        await _submit(client),
    ]
    assert [response.status for response in responses] == [202, 400, 422, 429]
    for response, remaining in zip(responses, (2, 1, 0, 0), strict=True):
        reset = response.headers["X-RateLimit-Reset"]
        assert response.headers["RateLimit-Policy"] == '"requests";q=3;w=60'
        assert response.headers["RateLimit"] == f'"requests";r={remaining};t={reset}'
        assert response.headers["X-RateLimit-Limit"] == "3"
        assert response.headers["X-RateLimit-Remaining"] == str(remaining)
        assert 0 < int(reset) <= 60


async def test_an_unknown_operation_is_charged_like_any_bulk_request(
    ctx: Context, session: aiohttp.ClientSession
) -> None:
    client = await make_client(ctx, session, request_limit=1)
    responses = [await client.call("POST", "/v1/bulk/contacts.explode") for _ in range(2)]
    assert [response.status for response in responses] == [404, 429]
    assert responses[0].headers["X-RateLimit-Remaining"] == "0"


async def test_an_account_without_a_limit_gets_no_limit_headers(client: Client) -> None:
    response = await _submit(client)
    assert (response.status, "RateLimit" in response.headers) == (202, False)


async def test_the_limit_of_one_account_does_not_affect_others(
    ctx: Context, session: aiohttp.ClientSession
) -> None:
    client = await make_client(ctx, session, request_limit=1)
    other = await make_client(ctx, session, request_limit=1)
    assert [(await _submit(client)).status for _ in range(2)] == [202, 429]
    assert (await _submit(other)).status == 202
    assert (await client.get("/v1/jobs")).status == 200


async def test_a_burst_from_many_connections_is_admitted_exactly(
    ctx: Context, session: aiohttp.ClientSession
) -> None:
    client = await make_client(ctx, session, request_limit=5)
    responses = await asyncio.gather(*(_submit(client) for _ in range(20)))
    assert sorted(response.status for response in responses) == [202] * 5 + [429] * 15
    assert len(await client.jobs()) == 5


async def test_requests_still_count_after_a_flush_of_redis(
    ctx: Context, session: aiohttp.ClientSession, redis: Redis
) -> None:
    client = await make_client(ctx, session, request_limit=3)
    assert [(await _submit(client)).status for _ in range(2)] == [202, 202]
    await redis.flushall()
    assert [(await _submit(client)).status for _ in range(2)] == [202, 429]
    assert len(await client.jobs()) == 3


@pytest.mark.parametrize("outage", ["silent", "cut", "slow"])
async def test_a_burst_is_admitted_exactly_while_redis_goes_and_comes(
    ctx: Context, settings: Settings, servers: TestServers, tmp_path: Path, outage: str
) -> None:
    async with AsyncExitStack() as stack:
        valkey = await stack.enter_async_context(proxy(tmp_path / "valkey.sock", servers.redis_socket))
        behind = settings.model_copy(update={"redis_url": f"unix://{valkey.path}"})
        service = await stack.enter_async_context(serve(behind))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}")
        )
        client = await make_client(ctx, session, request_limit=20)
        burst = [asyncio.create_task(_submit(client)) for _ in range(30)]
        await asyncio.wait(burst, return_when=asyncio.FIRST_COMPLETED)
        valkey.silent = outage == "silent"
        valkey.delay_seconds = 0.2 * (outage == "slow")
        if outage == "cut":
            await valkey.stop()
        burst += [asyncio.create_task(_submit(client)) for _ in range(15)]
        await asyncio.wait(burst)
        valkey.behave()
        if outage == "cut":
            await valkey.start()
        burst += [asyncio.create_task(_submit(client)) for _ in range(15)]
        await asyncio.wait(burst)
    responses = [task.result() for task in burst]
    admitted = [response for response in responses if response.status == 202]
    assert Counter(response.status for response in responses) == {202: 20, 429: 40}
    remaining = sorted(int(response.headers["X-RateLimit-Remaining"]) for response in admitted)
    assert remaining == list(range(20))


@pytest.mark.parametrize("clock", [0, 1], ids=["PostgreSQL", "api"])
@pytest.mark.parametrize("step", [3600, 30, -30, -3600])
async def test_a_step_of_one_clock_neither_ages_requests_nor_freezes_the_account(
    ctx: Context, monkeypatch: pytest.MonkeyPatch, clock: int, step: int
) -> None:
    clocks = [datetime.now(UTC)] * 2
    monkeypatch.setattr(admissions, "read_clocks", lambda: tuple(clocks))
    account = await make_account(ctx, request_limit=1)
    assert (await admissions.admit(ctx.pool, account.id)).granted
    clocks[clock] += timedelta(seconds=step)
    refused = await admissions.admit(ctx.pool, account.id)
    assert (refused.granted, refused.wait_seconds) == (0, 60.000_001)
    clocks = [clock + timedelta(seconds=60, microseconds=1) for clock in clocks]
    assert (await admissions.admit(ctx.pool, account.id)).granted


async def test_a_lowered_limit_admits_nothing_until_enough_has_aged(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(admissions, "read_clocks", clock)
    account = await make_account(ctx, request_limit=5)
    for _ in range(5):
        assert (await admissions.admit(ctx.pool, account.id)).granted
        clock.step(10)
    await accounts.update(ctx.pool, account.name, AccountChange(request_limit=2))
    refused = await admissions.admit(ctx.pool, account.id)
    assert (refused.granted, refused.remaining, refused.wait_seconds) == (0, 0, 40.000_001)
    assert refused.reset_seconds == 50.000_001
    clock.step(40.000_001)
    assert (await admissions.admit(ctx.pool, account.id)).granted


async def test_old_admissions_are_pruned_by_the_age_of_the_newest(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(admissions, "read_clocks", clock)
    account = await make_account(ctx, request_limit=5)
    for days in (1.5, 1.5, -300):
        await admissions.admit(ctx.pool, account.id)
        clock.step(days * 86_400)
    await admissions.admit(ctx.pool, account.id)
    await pruning.windows(ctx.pool, "admissions")
    assert await ctx.pool.fetchval("SELECT count(*) FROM admissions") == 2


async def test_too_many_unfinished_jobs_are_refused_until_some_end(ctx: Context, settings: Settings) -> None:
    async with (
        serve(settings.model_copy(update={"max_unfinished_jobs": 2})) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        client = await make_client(ctx, session, request_limit=30)
        responses = [await _submit(client) for _ in range(3)]
        assert [response.status for response in responses] == [202, 202, 429]
        assert responses[2].error["code"] == "too_many_jobs"
        assert int(responses[2].headers["Retry-After"]) > 0
        assert responses[2].headers["X-RateLimit-Remaining"] == "28"  # it is not charged
        await work(ctx)
        assert (await _submit(client)).status == 202
