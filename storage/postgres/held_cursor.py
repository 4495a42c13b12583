"""Read a large result in pages, outside of the transaction that found it.

The cursor is WITH HOLD: PostgreSQL keeps the rows in a file. So no snapshot keeps dead rows from being
removed while the caller works on a page, however long that takes.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from storage.postgres.pool import Conn, Pool
from storage.postgres.transactions import lift_time_limit

LONG_SECONDS = 3600.0  # the client's limit of time for a page


@asynccontextmanager
async def held_cursor(
    pool: Pool, name: str, size: int, declare: Callable[[Conn], Awaitable[Any]]
) -> AsyncIterator[tuple[Conn, AsyncIterator[list[Any]]]]:
    """Open a cursor and yield its connection, and the pages of its rows, each of at most `size`.

    `declare` declares a cursor of this name WITH HOLD. The caller may work on the connection, too, in a
    transaction for each piece of work.
    """
    fetch = f"FETCH {size} FROM {name}"
    async with pool.acquire() as conn:
        first = await _open(conn, fetch, declare)
        try:
            yield conn, _pages(conn, fetch, first)
        finally:
            await _close(conn, name)


async def _open(conn: Conn, fetch: str, declare: Callable[[Conn], Awaitable[Any]]) -> list[Any]:
    """Open the cursor and return its first page. COMMIT writes the rest into a file, which may take long.

    So it is no `conn.transaction()`, whose COMMIT has the time limit of the pool.
    """
    await conn.execute("BEGIN")
    try:
        await lift_time_limit(conn)  # may read all results of a job, possibly many millions
        await declare(conn)
        first: list[Any] = await conn.fetch(fetch, timeout=LONG_SECONDS)
        await conn.execute("COMMIT", timeout=LONG_SECONDS)
    except BaseException:
        conn.terminate()
        raise
    return first


async def _pages(conn: Conn, fetch: str, page: list[Any]) -> AsyncIterator[list[Any]]:
    while page:
        yield page
        page = await conn.fetch(fetch, timeout=LONG_SECONDS)


async def _close(conn: Conn, name: str) -> None:
    """Close the cursor. A connection that keeps it open must not return to the pool."""
    try:
        await conn.execute(f"CLOSE {name}")
    except BaseException:
        conn.terminate()
        raise
