"""The watch tells a PostgreSQL that does not answer from one that is slow, and from a busy event loop."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from storage.postgres.pool import WatchedPool, close_pool, open_pool
from storage.watch import LATE_SECONDS, watching
from tests.proxy import Proxy, postgres_proxy
from tests.waiting import until


@pytest.fixture
async def line_and_url(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Proxy, str]]:
    """Run a proxy between the watch and PostgreSQL."""
    async with postgres_proxy(tmp_path, database_url) as line_and_url:
        yield line_and_url


@pytest.fixture
async def pool(line_and_url: tuple[Proxy, str]) -> AsyncIterator[WatchedPool]:
    """Open the pool that is watched."""
    pool = await open_pool(line_and_url[1], size=1, name="test")
    yield pool
    await close_pool(pool)


async def test_a_slow_connect_is_not_silence(
    pool: WatchedPool, line_and_url: tuple[Proxy, str], caplog: pytest.LogCaptureFixture
) -> None:
    line, url = line_and_url
    line.hold()
    async with watching(pool, url, answer_seconds=1.0, connect_seconds=60.0):
        await asyncio.sleep(3)  # this is the fault: the server needs so long to accept a connection
        line.behave()
        assert await pool.fetchval("SELECT 1") == 1
    assert caplog.messages == []
    assert line.accepted == 2, "the watch connected once, and so did the pool"


async def test_a_server_that_continues_answers_the_ping_in_progress(
    pool: WatchedPool, line_and_url: tuple[Proxy, str], database_url: str
) -> None:
    line, url = line_and_url
    async with watching(pool, url, answer_seconds=0.5, connect_seconds=60.0):
        await until(lambda: _has_pinged(database_url))
        line.hold()
        await until(lambda: _silent(pool))
        line.behave()
        await until(lambda: _answers(pool))
        assert line.accepted == 1, "the watch keeps its connection"


async def test_a_connection_that_stays_silent_is_replaced(
    pool: WatchedPool, line_and_url: tuple[Proxy, str], database_url: str
) -> None:
    line, url = line_and_url
    async with watching(pool, url, answer_seconds=0.5, connect_seconds=1.0):
        await until(lambda: _has_pinged(database_url))
        line.silent = True
        await until(lambda: _silent(pool))
        line.behave()  # what was silenced stays lost
        await until(lambda: _answers(pool))


async def test_a_busy_loop_does_not_hide_a_server_that_is_silent(
    pool: WatchedPool, line_and_url: tuple[Proxy, str], database_url: str
) -> None:
    line, url = line_and_url

    async def busy() -> None:
        while True:
            time.sleep(0.1 + 2 * LATE_SECONDS)  # noqa: ASYNC251 - this is the fault: it blocks the loop
            await asyncio.sleep(0)

    async with watching(pool, url, answer_seconds=0.1, connect_seconds=0.1):
        await until(lambda: _has_pinged(database_url))
        line.silent = True
        task = asyncio.create_task(busy())
        try:
            await until(lambda: _silent(pool), seconds=30)
        finally:
            task.cancel()
        assert pool.silent


async def _has_pinged(database_url: str) -> bool:
    conn = await asyncpg.connect(database_url)
    query = "SELECT FROM pg_stat_activity WHERE application_name = 'ping' AND state = 'idle' AND query <> ''"
    try:
        return bool(await conn.fetch(f"{query} AND datname = current_database()"))
    finally:
        await conn.close()


async def _silent(pool: WatchedPool) -> bool:
    return pool.silent


async def _answers(pool: WatchedPool) -> bool:
    return not pool.silent
