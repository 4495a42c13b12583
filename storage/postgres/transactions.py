"""Transactions: with their own settings, always rolled back, or repeated after a deadlock."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from typing import TypeVar

import asyncpg

from schemas.errors import Unavailable
from storage.postgres.db_errors import LOST_CONNECTION
from storage.postgres.named_queries import load, time_limit
from storage.postgres.pool import COMMAND_SECONDS, LIMITS, Conn, Pool, begin

T = TypeVar("T")

QUERIES = load(__name__)
ATTEMPTS = 5  # each deadlock ends one transaction, so the others make progress between attempts

DURABLE = "SET LOCAL synchronous_commit = on"
NOT_DURABLE = "SET LOCAL synchronous_commit = off"
UNLIMITED_TIME = "SET LOCAL statement_timeout = 0"
LONG_WAIT = f"SET LOCAL lock_timeout = '{LIMITS['lock_timeout']}'"
SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
SHORT_WAIT = "SET LOCAL lock_timeout = '300ms'"
NAMES = ["bulklane-api", "bulklane-worker"]  # of the sessions of our processes: see `pool.open_pool`
SILENT_SECONDS = 5.0  # as for a session that is idle in a transaction: see LIMITS
WEEK_SECONDS = 7 * 86_400.0  # asyncpg takes no limit for the limit of the pool


@asynccontextmanager
async def transaction(
    pool: Pool,
    *,
    durable: bool | None = None,
    unlimited_time: bool = False,
    long_wait: bool = False,
    short_wait: bool = False,
    snapshot: bool = False,
    flush: bool = False,
) -> AsyncIterator[Conn]:
    """Run the body in a transaction, on its own connection.

    `durable` sets whether COMMIT waits until this and all earlier commits are on disk; None keeps the
    session's setting. `unlimited_time` removes the statement time-out of the server and of the pool.
    `long_wait` waits for a lock and for a statement as long as LIMITS says, also where the pool has shorter
    limits; `short_wait` waits for a fraction of a second. With `snapshot`, all statements see the data of
    one moment, and none may write.

    `flush` is for a transaction that is not durable: after COMMIT has released its locks, wait until it and
    all earlier commits are on disk. Until then, others may see what a crash can lose.
    """
    settings = [] if durable is None else [DURABLE if durable else NOT_DURABLE]
    if unlimited_time:
        settings.append(UNLIMITED_TIME)
    if long_wait:
        settings.append(LONG_WAIT)
    if short_wait:
        settings.append(SHORT_WAIT)
    if snapshot:
        settings.append(SNAPSHOT)
    committed = False
    try:
        async with pool.acquire() as conn:
            async with begin(conn, settings):
                with _limit(unlimited_time, long_wait):
                    yield conn
            if flush:  # on the same connection: another one may lead to a server that has lost the commit
                await QUERIES.flush(conn)
            committed = True
    except LOST_CONNECTION:
        if not committed:  # otherwise only the return to the pool failed
            raise


async def flush(conn: Conn) -> None:
    """Wait until everything that is committed is on disk."""
    await QUERIES.flush(conn)


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
    """Run `work` in a transaction, and repeat it after a deadlock.

    Its statements may change a million rows, so they have COMMAND_SECONDS, also where the pool has a shorter
    limit. Returns what `work` returns. Raises Unavailable after a lock time-out, or after ATTEMPTS deadlocks.
    """
    with suppress(asyncpg.LockNotAvailableError):
        for _ in range(ATTEMPTS):
            with suppress(asyncpg.DeadlockDetectedError):
                async with transaction(pool) as conn:
                    with time_limit(COMMAND_SECONDS):
                        return await work(conn)
    raise Unavailable("a concurrent change holds a lock that this change needs: send the request again")


def _limit(unlimited_time: bool, long_wait: bool) -> AbstractContextManager[None]:
    if unlimited_time:
        return time_limit(WEEK_SECONDS)
    return time_limit(COMMAND_SECONDS) if long_wait else nullcontext()


async def lift_time_limit(conn: Conn) -> None:
    """Remove the statement time-out of the server, but not of the pool, for the rest of the transaction."""
    await conn.execute(UNLIMITED_TIME)


@asynccontextmanager
async def without_time_limit(conn: Conn) -> AsyncIterator[None]:
    """Remove the statement time-outs: of the pool for the body, of the server for the transaction."""
    await lift_time_limit(conn)
    with time_limit(WEEK_SECONDS):
        yield


async def try_lock(conn: Conn, key: int) -> bool:
    """Take the advisory lock `key` until the transaction ends. Return False if another session holds it."""
    taken: bool = await QUERIES.try_lock(conn, key=key)
    return taken


async def end_silent_sessions(db: Conn | Pool, *, seconds: float = SILENT_SECONDS) -> int:
    """End the sessions of our processes that wait for their clients in the middle of a command.

    asyncpg prepares a statement by one message, and runs it by another. A process that is stopped in between
    holds its locks, and no limit of PostgreSQL ends that. Returns the number of sessions.
    """
    count: int = await QUERIES.end_silent_sessions(db, names=NAMES, seconds=seconds)
    return count


async def ping(db: Conn | Pool) -> None:
    """Check that PostgreSQL responds. Raises an error of LOST_CONNECTION."""
    await QUERIES.ping(db)
