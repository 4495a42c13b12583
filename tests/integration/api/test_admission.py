"""The admission window of an account, and its number of unfinished jobs."""

import asyncio

import aiohttp
from redis.asyncio import Redis

from schemas.settings import Settings
from storage.context import Context
from tests.factories import contact
from tests.integration.api.service import Answer, Client, make_client, serve
from tests.integration.api.work import work


async def _submit(client: Client) -> Answer:
    return await client.submit_items([contact(1)])


async def test_the_request_over_the_limit_passes_after_retry_after(
    ctx: Context, session: aiohttp.ClientSession
) -> None:
    client = await make_client(ctx, session, request_limit=3, window_seconds=2)
    clock = asyncio.get_running_loop().time
    began = clock()
    answers = [await _submit(client) for _ in range(4)]
    assert [answer.status for answer in answers] == [202, 202, 202, 429]
    refused = answers[3]
    assert (refused.error["type"], refused.error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    seconds = int(refused.headers["Retry-After"])
    assert 1 <= seconds <= 2
    await asyncio.sleep(seconds)
    assert (await _submit(client)).status == 202
    assert clock() - began >= 2
    assert len(await client.jobs()) == 4


async def test_the_limits_are_told_with_every_answer(ctx: Context, session: aiohttp.ClientSession) -> None:
    client = await make_client(ctx, session, request_limit=3, window_seconds=60)
    answers = [
        await _submit(client),
        await client.submit(b"nonsense", "application/json"),
        await client.submit_items([contact(1)], "?region=XX"),
        await _submit(client),
    ]
    assert [answer.status for answer in answers] == [202, 400, 422, 429]
    for answer, remaining in zip(answers, (2, 1, 0, 0), strict=True):
        reset = answer.headers["X-RateLimit-Reset"]
        assert answer.headers["RateLimit-Policy"] == '"requests";q=3;w=60'
        assert answer.headers["RateLimit"] == f'"requests";r={remaining};t={reset}'
        assert answer.headers["X-RateLimit-Limit"] == "3"
        assert answer.headers["X-RateLimit-Remaining"] == str(remaining)
        assert 0 < int(reset) <= 60


async def test_an_account_without_a_limit_is_told_none(client: Client) -> None:
    answer = await _submit(client)
    assert (answer.status, "RateLimit" in answer.headers) == (202, False)


async def test_other_accounts_do_not_notice(ctx: Context, session: aiohttp.ClientSession) -> None:
    client = await make_client(ctx, session, request_limit=1)
    other = await make_client(ctx, session, request_limit=1)
    assert [(await _submit(client)).status for _ in range(2)] == [202, 429]
    assert (await _submit(other)).status == 202
    assert (await client.get("/v1/jobs")).status == 200


async def test_a_burst_from_many_connections_is_admitted_exactly(
    ctx: Context, session: aiohttp.ClientSession
) -> None:
    client = await make_client(ctx, session, request_limit=5)
    answers = await asyncio.gather(*(_submit(client) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [202] * 5 + [429] * 15
    assert len(await client.jobs()) == 5


async def test_a_flush_does_not_forget_accepted_jobs(
    ctx: Context, session: aiohttp.ClientSession, redis: Redis
) -> None:
    client = await make_client(ctx, session, request_limit=3)
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
        client = await make_client(ctx, session)
        answers = [await _submit(client) for _ in range(3)]
        assert [answer.status for answer in answers] == [202, 202, 429]
        assert answers[2].error["code"] == "too_many_jobs"
        assert int(answers[2].headers["Retry-After"]) > 0
        await work(ctx)
        assert (await _submit(client)).status == 202
