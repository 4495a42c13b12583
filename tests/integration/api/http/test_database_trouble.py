"""PostgreSQL in trouble: 503 with Retry-After and one line in the log; an error of ours stays a 500."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from api.http.context import SETTINGS
from schemas.ids import read_job_id
from schemas.settings import Settings
from storage.context import Context
from storage.pipeline import failures
from tests.factories import contact
from tests.integration.api.service import Client, Response, make_client, serve


@asynccontextmanager
async def other_client(ctx: Context, settings: Settings) -> AsyncIterator[Client]:
    """Serve with the current settings of the api's connections."""
    async with (
        serve(settings) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        yield await make_client(ctx, session)


async def test_a_read_only_server_is_a_503_for_requests_cancels_and_retries(
    ctx: Context, client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = (await client.submit_items([contact(1)])).headers["Location"]
    monkeypatch.setitem(SETTINGS, "default_transaction_read_only", "on")
    async with other_client(ctx, settings) as standby:
        standby.key = client.key
        for response in (
            await standby.submit_items([contact(2)]),
            await standby.call("POST", f"{job}/cancel"),
            await standby.call("POST", "/v1/labels", json={"name": "L"}),
        ):
            _assert_unavailable(response, "PostgreSQL is read-only")
        assert (await standby.get(job)).status == 200


async def test_a_server_in_trouble_is_one_line_in_the_log(
    ctx: Context, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(SETTINGS, "default_transaction_read_only", "on")
    async with other_client(ctx, settings) as standby:
        for number in range(20):
            _assert_unavailable(await standby.submit_items([contact(number)]), "PostgreSQL is read-only")
    (record,) = [record for record in caplog.records if "PostgreSQL is read-only" in record.getMessage()]
    assert (record.levelname, record.exc_info) == ("WARNING", None)


async def test_an_error_of_ours_is_a_500_with_one_traceback(
    ctx: Context, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    job = (await client.submit_items([contact(1)])).headers["Location"]
    await ctx.pool.execute("ALTER TABLE item_errors DROP COLUMN value CASCADE")
    responses = [await client.get(f"{job}/errors") for _ in range(5)]
    assert [response.status for response in responses] == [500] * 5
    tracebacks = [record for record in caplog.records if record.exc_info]
    assert [type(record.exc_info[1]).__name__ for record in tracebacks if record.exc_info] == [
        "UndefinedColumnError"
    ]
    assert (
        sum("unexpected error at GET /v1/jobs/{job_id}/errors" in message for message in caplog.messages) == 5
    )


async def test_readyz_counts_the_jobs_that_fail_by_an_error_of_ours(ctx: Context, client: Client) -> None:
    assert (await client.get("/readyz")).json["failing_jobs"] == 0
    job_id = read_job_id((await client.submit_items([contact(1)])).json["id"])
    assert job_id is not None
    await failures.count(ctx.pool, client.account.id, job_id)
    ready = await client.get("/readyz")
    assert (ready.status, ready.json["failing_jobs"]) == (200, 1)


def _assert_unavailable(response: Response, reason: str) -> None:
    assert (response.status, response.error["code"]) == (503, "unavailable"), response.body
    assert int(response.headers["Retry-After"]) >= 1
    assert reason in response.error["message"]
