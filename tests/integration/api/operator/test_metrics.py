"""`/metrics` of an api: what it counts, and the backlog. Nothing that a client sends is in it."""

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from api.actions.operator import process_metrics
from schemas.settings import Settings
from storage.context import Context
from tests.factories import contact
from tests.integration.api.operator.operator_client import OPERATOR_KEY, OperatorClient
from tests.integration.api.service import Client, make_client, serve
from tests.integration.api.work import work
from tests.integration.scrape import Scrape, problems_of
from tests.proxy import postgres_proxy
from tests.waiting import until
from worker.signs.heartbeat import beating

MARK = "mark-of-a-client"


async def scrape(session: aiohttp.ClientSession) -> Scrape:
    """Return the metrics of the api."""
    async with session.get("/metrics", headers={"Authorization": f"Bearer {OPERATOR_KEY}"}) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        return Scrape.of(await response.text())


async def test_requests_uploads_and_jobs_are_counted(
    ctx: Context, client: Client, session: aiohttp.ClientSession
) -> None:
    before = await scrape(session)
    body = json.dumps([contact(1), contact(2)]).encode()
    response = await client.submit(body, "application/json")
    job = await client.job(response)
    await client.get("/v1/jobs/job_01ARZ3NDEKTSV4RRFFQ69G5FAV")
    after = await scrape(session)
    assert after.since(before, "bulklane_upload_bytes_total") == len(body)
    assert after.since(before, "bulklane_jobs_accepted_total", operation="contacts.upsert") == 1
    route = {"method": "GET", "route": "/v1/jobs/{job_id}"}
    assert after.since(before, "bulklane_http_requests_total", **route, status="200") == 1
    assert after.since(before, "bulklane_http_requests_total", **route, status="404") == 1
    assert after.since(before, "bulklane_http_request_duration_seconds_count", **route) == 2
    assert after.sum("bulklane_http_connections") >= 1
    assert job["state"] == "queued"
    assert problems_of(after) == []


async def test_the_backlog_is_that_of_all_accounts(
    ctx: Context, client: Client, session: aiohttp.ClientSession
) -> None:
    async with beating(ctx):
        await until(lambda: ctx.pool.fetchval("SELECT count(*) FROM workers"))
        for account in (client, await make_client(ctx, session)):
            await account.submit_items([contact(1)])
        await ctx.pool.execute("UPDATE jobs SET accepted_at = accepted_at - interval '1000 s'")
        shown = await scrape(session)
    assert shown.sum("bulklane_unfinished_jobs", state="queued") == 2
    assert shown.sum("bulklane_unfinished_jobs") == 2
    assert 1000 <= shown.sum("bulklane_oldest_waiting_job_age_seconds") < 2000
    assert shown.sum("bulklane_workers", state="alive") == 1
    assert shown.sum("bulklane_workers", state="silent") == 0
    assert shown.sum("bulklane_postgres_up") == 1
    assert shown.sum("bulklane_redis_up") == 1


async def test_the_backlog_is_read_once_for_many_scrapes(
    ctx: Context, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_metrics, "FRESH_SECONDS", 3600.0)
    shown = await asyncio.gather(*(scrape(session) for _ in range(5)))
    assert all(one.sum("bulklane_postgres_up") == 1 for one in shown)
    await ctx.pool.execute("ALTER TABLE workers RENAME TO away")  # the next read would fail
    assert (await scrape(session)).sum("bulklane_postgres_up") == 1


async def test_a_failed_read_of_the_backlog_is_shared_too(
    ctx: Context, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_metrics, "FAILED_SECONDS", 3600.0)
    await ctx.pool.execute("ALTER TABLE workers RENAME TO away")
    assert (await scrape(session)).sum("bulklane_postgres_up") == 0
    await ctx.pool.execute("ALTER TABLE away RENAME TO workers")  # the next read would succeed
    shown = await asyncio.gather(*(scrape(session) for _ in range(5)))
    assert all(one.sum("bulklane_postgres_up") == 0 for one in shown)


async def test_no_series_is_made_of_what_a_client_sends(
    client: Client, session: aiohttp.ClientSession, ctx: Context
) -> None:
    before = await scrape(session)
    for number in range(3):
        await client.get(f"/{MARK}-{number}")
        await client.get(f"/v1/contacts/{MARK}-{number}?search={MARK}")
        await client.call(f"{MARK.upper().replace('-', '')}{number}", "/v1/jobs")
    await client.submit_items([{**contact(1), "name": MARK, "ref": MARK}])
    await work(ctx)
    after = await scrape(session)
    assert MARK not in after.text.lower()
    assert "MARK" not in after.text
    assert client.account.name not in after.text
    assert after.since(before, "bulklane_http_requests_total", route="unmatched") == 6
    assert after.since(before, "bulklane_http_requests_total", method="other") == 3
    labels = {name for _, series in after.values for name, _ in series}
    assert labels <= {"le", "method", "operation", "role", "route", "state", "status", "version"}


async def test_an_api_without_postgres_still_shows_its_metrics(settings: Settings, tmp_path: Path) -> None:
    assert settings.database_url is not None
    async with postgres_proxy(tmp_path, settings.database_url) as (line, url):
        through = settings.model_copy(update={"database_url": url, "operator_key": OPERATOR_KEY})
        async with (
            serve(through) as service,
            aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
        ):
            line.silent = True
            shown = await scrape(session)
            assert shown.sum("bulklane_postgres_up") == 0
            assert "bulklane_unfinished_jobs" not in shown.names
            assert problems_of(shown) == []
            line.behave()
            await until(lambda: _is_up(session))


async def _is_up(session: aiohttp.ClientSession) -> bool:
    return (await scrape(session)).sum("bulklane_postgres_up") == 1


async def test_prometheus_finds_the_workers_that_serve_metrics(
    ctx: Context, operator: OperatorClient, session: aiohttp.ClientSession
) -> None:
    assert await operator.get("/metrics-targets") == [{"targets": [], "labels": {"role": "worker"}}]
    async with beating(ctx, 9464):
        await until(lambda: ctx.pool.fetchval("SELECT count(*) FROM workers"))
        (found,) = await operator.get("/metrics-targets")
        (worker,) = (await operator.get("/workers"))["data"]
    assert found["targets"] == [f"{worker['host']}:9464"]
    assert worker["metrics_port"] == 9464
