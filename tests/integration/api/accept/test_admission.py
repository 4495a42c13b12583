"""The admission window of an account, and its number of unfinished jobs."""

import asyncio
import math
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import aiohttp
import pytest
from redis.asyncio import Redis

from api.http import context
from schemas.settings import Settings
from storage.context import Context
from storage.window import Window
from tests.factories import contact
from tests.integration.api.service import Client, Response, make_client, serve
from tests.integration.api.work import work


async def _submit(client: Client) -> Response:
    return await client.submit_items([contact(1)])


async def _no_history(since: datetime) -> Sequence[tuple[datetime, int]]:
    del since
    return []


async def _reach(redis: Redis, moment: datetime) -> None:
    """Wait until the clock of the window has reached a moment."""
    while (left := moment.timestamp() - float("{}.{:06}".format(*await redis.time()))) > 0:  # noqa: ASYNC110
        await asyncio.sleep(left)


class Clock:
    """A clock of a window, in microseconds, that moves only when `step` is called."""

    def __init__(self) -> None:
        self._now = time.time_ns() // 1000

    def __call__(self) -> int:
        return self._now

    def step(self, seconds: float) -> None:
        self._now += round(seconds * 1_000_000)


async def test_the_31st_request_in_60_seconds_passes_after_retry_after_and_not_a_second_earlier(
    ctx: Context, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(context, "Window", partial(Window, clock=clock))
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
    ctx: Context, session: aiohttp.ClientSession, redis: Redis
) -> None:
    client = await make_client(ctx, session, request_limit=30, window_seconds=4)
    other = await make_client(ctx, session, request_limit=30, window_seconds=4)
    responses = await asyncio.gather(*(_submit(client) for _ in range(30)))
    assert {response.status for response in responses} == {202}
    peek = partial(
        Window(redis).peek,
        kind="requests",
        account_id=client.account.id,
        limit=30,
        window_seconds=4,
        history=_no_history,
    )
    while not 0.7 < (seen := await peek()).wait_seconds % 1 < 0.9:  # leaves time for a slow response
        await _reach(redis, seen.at + timedelta(milliseconds=10))
    refused = await _submit(client)
    assert (refused.status, refused.error["type"]) == (429, "rate_limit_error")
    assert refused.error["code"] == "rate_limit_exceeded"
    seconds = int(refused.headers["Retry-After"])
    assert seconds == math.ceil(seen.wait_seconds)
    assert (await _submit(other)).headers["X-RateLimit-Remaining"] == "29"
    await _reach(redis, seen.at + timedelta(seconds=seconds - 1))
    assert (await _submit(client)).headers["Retry-After"] == "1"
    await _reach(redis, seen.at + timedelta(seconds=seconds))
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


async def test_accepted_jobs_still_count_after_a_flush_of_redis(
    ctx: Context, session: aiohttp.ClientSession, redis: Redis
) -> None:
    client = await make_client(ctx, session, request_limit=3)
    other = await make_client(ctx, session, request_limit=3)
    assert [(await _submit(other)).status for _ in range(3)] == [202, 202, 202]
    assert [(await _submit(client)).status for _ in range(2)] == [202, 202]
    await redis.flushall()
    assert [(await _submit(client)).status for _ in range(2)] == [202, 429]
    await redis.flushall()
    assert (await _submit(client)).status == 429
    assert len(await client.jobs()) == 3


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
        assert responses[2].headers["X-RateLimit-Remaining"] == "27"
        await work(ctx)
        assert (await _submit(client)).status == 202
