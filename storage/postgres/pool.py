"""Pools of connections to PostgreSQL, with time limits so that a stopped process does not hold locks."""

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

LIMITS = {
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "5s",  # releases the row locks of a stopped process
    "lock_timeout": "20s",
    "tcp_user_timeout": "10s",
    "tcp_keepalives_idle": "10",
    "timezone": "UTC",
    "jit": "off",  # statements run for milliseconds; compiling them would take longer
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
    """Open a pool of at most `size` connections. `name` appears in pg_stat_activity.

    `settings` are added to LIMITS. `init` prepares each new connection.
    """
    return await asyncpg.create_pool(
        database_url,
        min_size=1,
        max_size=size,
        command_timeout=40,  # above statement_timeout: only a half-open connection reaches it
        server_settings=LIMITS | {"application_name": name} | (settings or {}),
        init=init,
        reset=_keep_session,
    )


async def _keep_session(conn: Conn) -> None:
    """Do nothing, in place of asyncpg's reset, which costs a round trip at each release.

    A session holds no state to reset: temporary tables are kept on purpose, settings are always SET LOCAL,
    advisory locks end with their transaction, and asyncpg itself rolls back an open transaction.
    """
