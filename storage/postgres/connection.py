"""One connection outside a pool: for a command, a start-up, a look whether the server answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from storage.postgres.db_errors import LOST_CONNECTION
from storage.postgres.pool import Conn

CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 1.0


class Unreachable(Exception):
    """PostgreSQL does not answer, or refuses the connection; the message says why."""


class NoTables(Exception):
    """The database has no schema yet."""


@asynccontextmanager
async def connect(database_url: str, *, within: float = CONNECT_SECONDS) -> AsyncIterator[Conn]:
    """Open a connection for the body, at most `within` seconds from now.

    Raises Unreachable when it cannot be opened or is lost, and NoTables when a table is missing.
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
    """Close within a second; a server that does not take the farewell is left."""
    try:
        await conn.close(timeout=CLOSE_SECONDS)
    except LOST_CONNECTION:
        conn.terminate()
