"""Fixtures: one PostgreSQL and one Valkey for each session, a copy of a migrated database for each test."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from itertools import count

import asyncpg
import hypothesis
import pytest
from redis.asyncio import Redis

from schemas.settings import Settings
from storage import migrations
from storage.context import Context
from tests.browser import CHROMIUM, chromium
from tests.servers import TestServers
from tests.workers import open_worker

TEMPLATE = "template_bulklane"
NUMBERS = count(1)

# how long an example takes says how busy the machine is
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


def pytest_configure() -> None:
    """Let SIGTERM end the tests as Ctrl-C does, so that what they have started is stopped and deleted."""
    signal.signal(signal.SIGTERM, _interrupt)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files with a slow test first: with several processes, none works alone at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def _interrupt(*_: object) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts commands in the background so
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="session")
def servers() -> Iterator[TestServers]:
    """Start both servers for the whole session."""
    servers = TestServers()
    servers.start()
    yield servers
    servers.stop()


@pytest.fixture(scope="session")
def template(servers: TestServers) -> str:
    """Migrate a template database once; return its name."""

    async def make() -> None:
        conn = await asyncpg.connect(servers.database_url)
        await conn.execute(f"CREATE DATABASE {TEMPLATE}")
        await conn.close()
        await migrations.migrate(_named(servers.database_url, TEMPLATE))

    asyncio.run(make())
    return TEMPLATE


@pytest.fixture
async def database_url(servers: TestServers, template: str) -> AsyncIterator[str]:
    """Return the URL of a copy of the template, which is dropped after the test."""
    name = f"test_{next(NUMBERS)}"
    conn = await asyncpg.connect(servers.database_url)
    await conn.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    yield _named(servers.database_url, name)
    await conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await conn.close()


@pytest.fixture(scope="session")
def devtools() -> Iterator[str]:
    """Start Chromium for the whole session. Return the URL of its DevTools, for `browse`."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt install chromium")
    with chromium() as url:
        yield url


@pytest.fixture
async def redis(servers: TestServers) -> AsyncIterator[Redis]:
    """Return a client of Valkey, which is empty."""
    client = Redis.from_url(servers.redis_url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def settings(database_url: str, servers: TestServers, redis: Redis) -> Settings:
    """Return the settings of a process under test."""
    return Settings(database_url=database_url, redis_url=servers.redis_url)


@pytest.fixture
async def ctx(settings: Settings) -> AsyncIterator[Context]:
    """Return the context of a worker, without its background tasks."""
    async with open_worker(settings, size=10) as worker:
        yield worker


def _named(url: str, database: str) -> str:
    return url.replace("/bulklane?", f"/{database}?")
