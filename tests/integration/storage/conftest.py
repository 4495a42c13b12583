"""Fixture: empty databases."""

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count

import asyncpg
import pytest

from tests.servers import TestServers

NUMBERS = count(1)
MakeDatabase = Callable[[], Awaitable[str]]


@pytest.fixture
async def make_database(servers: TestServers) -> AsyncIterator[MakeDatabase]:
    """Return a function that creates an empty database and returns its URL. Drop them after the test."""
    names: list[str] = []

    async def make() -> str:
        names.append(f"empty_{next(NUMBERS)}")
        await conn.execute(f"CREATE DATABASE {names[-1]} TEMPLATE template0 STRATEGY file_copy")
        return servers.database_url.replace("/bulklane?", f"/{names[-1]}?")

    conn = await asyncpg.connect(servers.database_url)
    yield make
    for name in names:
        await conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await conn.close()
