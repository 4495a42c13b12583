"""Small jobs: one statement accepts a job, and those of a stream that wait are accepted together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

from api.accept import accept
from schemas.settings import Settings
from storage import watch
from storage.context import Context
from tests.factories import contact, phone
from tests.integration.api.service import Client, Response, Service, make_client, serve
from tests.integration.api.work import stored, work
from tests.proxy import postgres_proxy
from tests.waiting import until
from tests.workers import unfinished

SYNC = b"S\x00\x00\x00\x04"  # ends each statement that is sent to PostgreSQL
LOCK = "SELECT FROM streams WHERE account_id = $1 AND stream = 'contacts' FOR UPDATE"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
BURST = 8


class Traffic:
    """Counts what an api sends to PostgreSQL."""

    def __init__(self) -> None:
        self.statements: list[bytes] = []

    def __call__(self, data: bytes) -> bool:
        self.statements += [data] * data.count(SYNC)
        return False

    def naming(self, text: str) -> int:
        """Return the number of statements with a text among their values."""
        return sum(text.encode() in statement for statement in self.statements)


class Watched(NamedTuple):
    """An api whose traffic to PostgreSQL is counted, and a client of it."""

    service: Service
    client: Client
    traffic: Traffic


@pytest.fixture
async def watched(
    ctx: Context, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Watched]:
    """Run a watched api without pings. Its next connection has prepared the statements of a small job."""
    assert settings.database_url is not None
    monkeypatch.setattr(watch, "ping", _no_ping)
    async with (
        postgres_proxy(tmp_path, settings.database_url) as (line, url),
        serve(settings.model_copy(update={"database_url": url})) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        client = await make_client(ctx, session)
        for _ in range(2):
            submit = asyncio.create_task(client.submit_items([contact(0)], Prefer="wait=30"))
            await until(lambda: unfinished(ctx))
            await work(ctx)
            await submit
        line.cut_at = traffic = Traffic()
        yield Watched(service, client, traffic)


async def _no_ping(_: object) -> None:
    """Send nothing: the watch of the api pings once in a while, which is none of the statements of a job."""


async def _burst(client: Client, numbers: range, **headers: str) -> list[Response]:
    submits = (client.submit_items([contact(number)], **headers) for number in numbers)
    return list(await asyncio.gather(*submits))


async def test_a_job_needs_two_statements(watched: Watched) -> None:
    """They find the key with the number of unfinished jobs, and accept. The response needs none."""
    watched.traffic.statements.clear()
    response = await watched.client.submit_items([contact(1)])
    assert len(watched.traffic.statements) == 2
    assert response.json == await watched.client.job(response)


async def test_a_job_that_is_awaited_is_read_once(
    ctx: Context, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accept, "SMALL_JOB_SECONDS", 30)  # nobody waits for the disk before
    watched.traffic.statements.clear()
    submit = asyncio.create_task(watched.client.submit_items([contact(1)], Prefer="wait=30"))
    await until(lambda: unfinished(ctx))
    await work(ctx)
    assert (await submit).status == 200
    assert len(watched.traffic.statements) == 3


async def _holds(condition: bool) -> bool:
    return condition


async def test_jobs_that_wait_for_their_stream_are_accepted_by_one_statement(
    ctx: Context, watched: Watched
) -> None:
    watched.traffic.statements.clear()
    async with _locked_stream(ctx, watched):
        first = asyncio.create_task(watched.client.submit_items([contact(0, name="first")]))
        await until(lambda: _is_waiting(ctx))
        others = asyncio.create_task(_burst(watched.client, range(1, BURST)))
        await until(lambda: _holds(_accepting(watched) == BURST))
    responses = [await first, *await others]
    assert [response.status for response in responses] == [202] * BURST
    assert sorted(response.json["position"] for response in responses) == list(range(BURST))
    assert (await first).json["position"] == 0
    assert watched.traffic.naming("+1415") == 2
    await work(ctx)
    assert {job["state"] for job in await watched.client.jobs()} == {"completed"}
    assert set((await stored(ctx)).values()) == {
        "first",
        *(f"Name {n}" for n in range(1, BURST)),
    }


@asynccontextmanager
async def _locked_stream(ctx: Context, watched: Watched) -> AsyncIterator[None]:
    """Hold the row of the stream of contacts."""
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute(LOCK, watched.client.account.id)
        yield


def _accepting(watched: Watched) -> int:
    return len(watched.service.api.uploads.current)


async def _is_waiting(ctx: Context) -> bool:
    return bool(await ctx.pool.fetchval(WAITING))


async def test_a_locked_stream_delays_no_other_stream(ctx: Context, watched: Watched) -> None:
    async with _locked_stream(ctx, watched):
        first = asyncio.create_task(watched.client.submit_items([contact(0)]))
        await until(lambda: _is_waiting(ctx))
        other = await watched.client.call(
            "POST",
            "/v1/bulk/preferences.set?preference=mute_all",
            json=[{"phone": phone(0)}],
        )
        assert (other.status, first.done()) == (202, False)
    assert (await first).status == 202


async def test_a_key_that_is_used_twice_fails_alone(ctx: Context, watched: Watched) -> None:
    """The jobs are accepted together, and the key of one of them is taken."""
    async with _locked_stream(ctx, watched):
        first = asyncio.create_task(watched.client.submit_items([contact(0)]))
        await until(lambda: _is_waiting(ctx))
        others = [
            asyncio.create_task(watched.client.submit_items([contact(1)], Idempotency_Key=key))
            for key in ("a", "a", "b", "c")
        ]
        await until(lambda: _holds(_accepting(watched) == 5))
    assert (await first).status == 202
    responses = await asyncio.gather(*others)
    assert sorted(response.status for response in responses) == [202, 202, 202, 409]
    refused = next(response for response in responses if response.status == 409)
    assert refused.error["code"] == "idempotency_in_progress"
    again = await watched.client.submit_items([contact(1)], Idempotency_Key="a")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(await watched.client.jobs()) == 2 + 4
