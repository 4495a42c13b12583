"""One connection outside a pool: for commands, for start-up, for a check that the server responds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from storage.postgres.db_errors import LOST_CONNECTION
from storage.postgres.pool import Conn

CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 1.0


class Unreachable(Exception):
    """PostgreSQL does not respond or refuses the connection. The message gives the reason."""


class NoTables(Exception):
    """The database has no schema yet."""


@asynccontextmanager
async def connect(database_url: str, *, within: float = CONNECT_SECONDS) -> AsyncIterator[Conn]:
    """Open a connection for the body. `within` limits the time to connect, in seconds.

    Raises Unreachable if the connection cannot be opened or is lost, and NoTables if a table is missing.
    """
    try:
        conn = await asyncpg.connect(database_url, timeout=within)
    except (asyncpg.PostgresError, *LOST_CONNECTION) as error:
        raise Unreachable(_reason(error)) from error
    try:
        yield conn
    except asyncpg.UndefinedTableError as error:
        raise NoTables(str(error)) from error
    except LOST_CONNECTION as error:
        raise Unreachable(_reason(error)) from error
    finally:
        await _close(conn)


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__  # a TimeoutError has no text


async def _close(conn: Conn) -> None:
    """Close the connection; terminate it if the server does not respond within a second."""
    try:
        await conn.close(timeout=CLOSE_SECONDS)
    except LOST_CONNECTION:
        conn.terminate()
