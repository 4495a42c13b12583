"""Transactions: with other settings than the session's, rolled back on purpose, repeated after a deadlock."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import asyncpg

from schemas.errors import Unavailable
from storage.postgres.db_errors import LOST_CONNECTION
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool

T = TypeVar("T")

QUERIES = load(__name__)
ATTEMPTS = 5  # a deadlock has one loser, so each attempt lets another transaction finish

DURABLE = "SET LOCAL synchronous_commit = on"
NOT_DURABLE = "SET LOCAL synchronous_commit = off"
UNLIMITED_TIME = "SET LOCAL statement_timeout = 0"


@asynccontextmanager
async def transaction(
    pool: Pool, *, durable: bool | None = None, unlimited_time: bool = False
) -> AsyncIterator[Conn]:
    """Run the body in a transaction, on a connection of its own.

    `durable`: whether COMMIT waits until the transaction, and all that was committed before it, is on disk;
    None: as the session is set. `unlimited_time`: no statement of it is stopped for taking long.
    """
    settings = [] if durable is None else [DURABLE if durable else NOT_DURABLE]
    if unlimited_time:
        settings.append(UNLIMITED_TIME)
    committed = False
    try:
        async with pool.acquire() as conn:
            async with conn.transaction():
                if settings:
                    await conn.execute("; ".join(settings))
                yield conn
            committed = True
    except LOST_CONNECTION:
        if not committed:  # else it was lost on its way back to the pool
            raise


@asynccontextmanager
async def rolled_back(pool: Pool) -> AsyncIterator[Conn]:
    """Run the body in a transaction that is always rolled back."""
    async with pool.acquire() as conn:
        doomed = conn.transaction()
        await doomed.start()
        try:
            yield conn
        finally:
            with suppress(*LOST_CONNECTION):
                await doomed.rollback()


async def transact(pool: Pool, work: Callable[[Conn], Awaitable[T]]) -> T:
    """Run `work` in a transaction, again after a deadlock; raises Unavailable where its locks stay taken."""
    with suppress(asyncpg.LockNotAvailableError):
        for _ in range(ATTEMPTS):
            with suppress(asyncpg.DeadlockDetectedError):
                async with transaction(pool) as conn:
                    return await work(conn)
    raise Unavailable("a concurrent change holds a lock that this change needs: send the request again")


async def lift_time_limit(conn: Conn) -> None:
    """Stop no statement of this transaction for taking long."""
    await conn.execute(UNLIMITED_TIME)


async def try_lock(conn: Conn, key: int) -> bool:
    """Take the advisory lock `key` until the transaction ends; False: another session has it."""
    taken: bool = await QUERIES.try_lock(conn, key=key)
    return taken


async def ping(pool: Pool) -> None:
    """Ask PostgreSQL for an answer; raises an error of LOST_CONNECTION."""
    await QUERIES.ping(pool)
