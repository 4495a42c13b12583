"""A transaction that is run again where it lost a deadlock."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import asyncpg

from schemas.errors import Unavailable
from storage.postgres.pool import Conn, Pool

T = TypeVar("T")

ATTEMPTS = 5  # a deadlock has one loser, so each of them lets somebody else pass


async def transact(pool: Pool, work: Callable[[Conn], Awaitable[T]]) -> T:
    """Run `work` in a transaction; raises Unavailable where others would not let go of what it needs."""
    with suppress(asyncpg.LockNotAvailableError):
        for _ in range(ATTEMPTS):
            with suppress(asyncpg.DeadlockDetectedError):
                async with pool.acquire() as conn, conn.transaction():
                    return await work(conn)
    raise Unavailable("others are changing the same thing at the moment: send the request again")
