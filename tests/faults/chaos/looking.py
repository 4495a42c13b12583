"""Read from a database that may be away at any time."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import asyncpg

LOOK_SECONDS = 5.0
# asyncpg raises InternalClientError if a time-out meets a connection that is being closed
NO_DATABASE = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)

T = TypeVar("T")


async def look(reading: Awaitable[T]) -> T | None:
    """Return what `reading` returns, or None if the database does not answer now."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return await reading
    except NO_DATABASE:
        return None
