"""Pools of connections to PostgreSQL, with time limits so that a stopped process does not hold locks."""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import asyncpg.transaction
from asyncpg.pool import PoolConnectionProxy

from schemas.metrics import POOL_ACQUIRE
from schemas.noted_metrics import observe

if TYPE_CHECKING:
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Conn: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    _Base: TypeAlias = asyncpg.Pool[asyncpg.Record]
    _BaseConnection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:  # asyncpg's classes take no parameters at run time
    Pool = _Base = asyncpg.Pool
    _BaseConnection = asyncpg.Connection
    Conn = asyncpg.Connection | PoolConnectionProxy

LIMITS = {
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "5s",  # releases the row locks of a stopped process
    "lock_timeout": "20s",
    "tcp_user_timeout": "10s",  # the side of the server; KEEPALIVE is that of the client
    "tcp_keepalives_idle": "10",
    "timezone": "UTC",
    "jit": "off",  # statements run for milliseconds; compiling them would take longer
}
# Planning takes longer than most statements: a claim plans for 2 ms and runs for 0.2 ms. So each is planned
# once for a connection, and only with nested loops over indexes, in the order of the indexes, because the
# plan must not depend on the statistics of that moment: they may not have seen the account, or tables that
# were nearly empty. What a statement must do for that is in docs/design.md.
PLANS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_sort": "off",
    "enable_incremental_sort": "off",
}


# Options of the client's socket: a peer that is gone is noticed after 10 seconds, idle or not. A system may
# lack some of them.
KEEPALIVE = {"TCP_KEEPIDLE": 4, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}

COMMAND_SECONDS = 40.0  # above statement_timeout: only a half-open connection reaches it
CANCEL_SECONDS = 2.0
CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 5.0


class WatchedPool(_Base):
    """A pool that `storage.watch` can hang up while the server does not answer."""

    def __init__(self, database_url: str, **options: Any) -> None:
        super().__init__(database_url, **options)
        self.silent = False  # the server does not answer
        self._waits: set[asyncio.Timeout] = set()

    @property
    def waiting(self) -> int:
        """The number of acquisitions of a connection that are in progress."""
        return len(self._waits)

    def hang_up(self) -> None:
        """Close all connections at once and refuse new ones while `silent` is set.

        Statements in progress fail with an error of LOST_CONNECTION.
        """
        self.silent = True
        for wait in self._waits:
            wait.reschedule(asyncio.get_running_loop().time())
        for holder in self._holders:  # type: ignore[attr-defined]  # asyncpg's `terminate` ends the pool for good
            holder.terminate()

    async def _acquire(self, timeout: float | None) -> "PoolConnectionProxy[asyncpg.Record]":  # noqa: ASYNC109
        if self.silent:
            raise TimeoutError("no answer")
        started = time.perf_counter()
        try:
            return await self._acquire_unless_silent(timeout)
        finally:
            observe(POOL_ACQUIRE, time.perf_counter() - started)

    async def _acquire_unless_silent(self, timeout: float | None) -> "PoolConnectionProxy[asyncpg.Record]":  # noqa: ASYNC109
        async with asyncio.timeout(None) as wait:
            self._waits.add(wait)
            try:
                conn: PoolConnectionProxy[asyncpg.Record] = await super()._acquire(timeout)  # type: ignore[misc]
                return conn
            finally:
                self._waits.discard(wait)


class PooledConnection(_BaseConnection):
    """A connection that is closed if a statement that was cancelled, or reached its limit, does not end.

    asyncpg waits for its end as long as for a statement. On a half-open connection it never comes.
    """

    _opening = ""  # statements to send together with the next one, which is BEGIN

    def transaction_with(self, settings: str) -> asyncpg.transaction.Transaction:
        """Return a transaction that sends SET statements together with BEGIN, to save a round trip."""
        self._opening = settings
        return self.transaction()

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109
        """Run a statement. See asyncpg."""
        if self._opening:
            query, self._opening = query + self._opening, ""
        return await super().execute(query, *args, timeout=timeout)

    def _cancel_current_command(
        self, sent: "asyncio.Future[None]", ended: "asyncio.Future[None] | None" = None
    ) -> None:
        super()._cancel_current_command(sent, ended)  # type: ignore[misc]
        if ended is not None:
            limit = asyncio.get_running_loop().call_later(CANCEL_SECONDS, self.terminate)
            ended.add_done_callback(lambda _: limit.cancel())


def begin(conn: Conn, settings: Sequence[str]) -> asyncpg.transaction.Transaction:
    """Return a transaction with these SET statements, to enter at once. Not for a transaction in another."""
    opened: PooledConnection = conn  # type: ignore[assignment]  # of a pool: a proxy of it
    return opened.transaction_with(";".join(settings)) if settings else conn.transaction()


async def open_pool(
    database_url: str,
    *,
    size: int,
    name: str,
    command_seconds: float | None = None,
    settings: dict[str, str] | None = None,
    init: Callable[
        ["asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"],
        Coroutine[Any, Any, None],
    ]
    | None = None,
) -> WatchedPool:
    """Open a pool of at most `size` connections, which connect when they are first used.

    `name` appears in pg_stat_activity. `command_seconds` is the time limit of a statement on the side of the
    client, COMMAND_SECONDS by default. `settings` are added to LIMITS and PLANS. `init` prepares each new
    connection.
    """

    async def prepare(
        conn: "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]",
    ) -> None:
        _keep_alive(conn)
        if init is not None:
            await init(conn)

    pool = WatchedPool(
        database_url,
        min_size=0,
        max_size=size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        loop=None,
        connection_class=PooledConnection,
        record_class=asyncpg.Record,
        timeout=CONNECT_SECONDS,
        command_timeout=command_seconds or COMMAND_SECONDS,
        server_settings=LIMITS | PLANS | {"application_name": name} | (settings or {}),
        init=prepare,
        reset=_keep_session,
    )
    await pool
    return pool


async def close_pool(pool: Pool) -> None:
    """Close the pool when its connections are released; terminate them if that takes too long."""
    with suppress(TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await pool.close()


def _keep_alive(conn: Conn) -> None:
    """Have the kernel notice that the peer of a TCP connection is gone."""
    sock = conn._transport.get_extra_info("socket")  # type: ignore[union-attr]  # asyncpg has no public access
    if sock.family in {socket.AF_INET, socket.AF_INET6}:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE.items():
            if hasattr(socket, option):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


async def _keep_session(conn: Conn) -> None:
    """Do nothing, in place of asyncpg's reset, which costs a round trip at each release.

    A session holds no state to reset: temporary tables are kept on purpose, settings are always SET LOCAL,
    advisory locks end with their transaction, and asyncpg itself rolls back an open transaction.
    """
