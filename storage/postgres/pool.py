"""Connections to PostgreSQL, each with the limits that keep a stopped process from holding locks."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

if TYPE_CHECKING:
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Conn: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:  # asyncpg's classes take no parameters at run time
    Pool = asyncpg.Pool
    Conn = asyncpg.Connection | PoolConnectionProxy

# A lost connection has many faces; after the death of the postmaster asyncpg raises InternalClientError, too.
LOST_CONNECTION = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    ConnectionError,
    OSError,
    TimeoutError,
)

# Trouble of the server's own (disk full, out of memory, time-outs, a replica): no row is to blame for it.
TROUBLE = (
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidTransactionStateError,
    asyncpg.PostgresSystemError,
)

# Somebody else's transaction was in the way: nothing is wrong, and nothing was done.
LOCKED_OUT = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)
BUSY = (*LOCKED_OUT, asyncpg.QueryCanceledError)  # the same to a client: for too long

LIMITS = {
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "5s",  # a stopped process must not hold a row lock for ever
    "lock_timeout": "20s",
    "tcp_user_timeout": "10s",
    "tcp_keepalives_idle": "10",
    "timezone": "UTC",
    "jit": "off",  # our statements run for milliseconds; compiling them would take longer
}


async def open_pool(
    database_url: str,
    *,
    size: int,
    name: str,
    settings: dict[str, str] | None = None,
    init: Callable[
        ["asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"],
        Coroutine[Any, Any, None],
    ]
    | None = None,
) -> Pool:
    """A pool of at most `size` connections; `name` shows in pg_stat_activity.

    `settings` are added to the limits above; `init` prepares each new connection.
    """
    return await asyncpg.create_pool(
        database_url,
        min_size=1,
        max_size=size,
        command_timeout=40,  # above statement_timeout: only a half-open link ever reaches it
        server_settings=LIMITS | {"application_name": name} | (settings or {}),
        init=init,
        reset=_keep_session,
    )


async def _keep_session(conn: Conn) -> None:
    """Instead of asyncpg's reset, a round trip at each release: we leave no state behind in a session.

    Temporary tables are to stay, settings are only ever SET LOCAL, advisory locks end with their
    transaction; asyncpg itself rolls back what is still open.
    """
