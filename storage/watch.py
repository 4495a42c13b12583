"""Notice a PostgreSQL that does not answer: stopped, frozen, or behind a network that drops everything.

A connection to such a server stays open, so a statement would wait for its time limit. The limit cannot be
short, because some statements take long. A ping cannot take long: it tells the two apart.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import asyncpg

from storage.background import beside, repeat
from storage.postgres.pool import WatchedPool
from storage.postgres.transactions import ping

logger = logging.getLogger(__name__)

EVERY_SECONDS = 0.4
ANSWER_SECONDS = 1.2  # with the pause above, a loss is noticed within 1.6 s
CONNECT_SECONDS = 2.5  # the server starts a process for a connection, which takes long on a busy machine
LATE_SECONDS = 0.3  # the event loop itself was busy if the time limit is noticed this late
LATE_TIMES = 3  # but a server that is silent this often in a row does not answer


@asynccontextmanager
async def watching(
    pool: WatchedPool,
    database_url: str,
    *,
    answer_seconds: float = ANSWER_SECONDS,
    connect_seconds: float = CONNECT_SECONDS,
) -> AsyncIterator[None]:
    """Ping the server of the pool while the body runs. A ping that is not answered in time closes the pool.

    All statements in progress then fail with an error of LOST_CONNECTION, and so does every use of the pool
    until a ping is answered. `answer_seconds` limits a ping, `connect_seconds` a connect with its first ping.
    """
    watch = _Watch(pool, database_url, answer_seconds, connect_seconds)
    async with beside(repeat(EVERY_SECONDS, watch.ping, what="watching PostgreSQL")):
        try:
            yield
        finally:
            watch.close()


class _Watch:
    """Pings on a connection of its own, since those of the pool may all be in use.

    A ping that is not answered in time stays in progress: a server that was frozen answers it at once when it
    continues. After `connect_seconds` the watch connects again, because the connection may be half-open.
    """

    def __init__(
        self, pool: WatchedPool, database_url: str, answer_seconds: float, connect_seconds: float
    ) -> None:
        self._pool = pool
        self._answer_seconds = answer_seconds
        self._connect_seconds = connect_seconds
        self._connect = partial(asyncpg.connect, database_url, server_settings={"application_name": "ping"})
        self._conn: asyncpg.Connection[asyncpg.Record] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._started = 0.0  # when `_asking` began, on the clock of the loop
        self._late = 0  # time limits in a row that were noticed late

    async def ping(self) -> None:
        """Ping once, or wait again for the ping in progress.

        Any answer counts, also a refusal: only silence makes statements hang.
        """
        clock = asyncio.get_running_loop().time
        limit = self._connect_seconds if self._conn is None else self._answer_seconds
        deadline = clock() + limit
        if self._asking is None:
            self._started = clock()
            self._asking = asyncio.create_task(self._ask())
        asking = self._asking
        await asyncio.wait({asking}, timeout=limit)
        if not asking.done():
            self._unanswered(clock(), deadline)
            return
        self._asking = None
        self._answers()
        try:
            asking.result()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            self.close()

    def close(self) -> None:
        """Close the connection without waiting for the server. This also ends the ping in progress."""
        if self._asking is not None:
            self._asking.add_done_callback(_forget)
            if self._conn is None:
                self._asking.cancel()
            self._asking = None
        if self._conn is not None:
            self._conn.terminate()
        self._conn = None

    async def _ask(self) -> None:
        if self._conn is None:
            self._conn = await self._connect()
        await ping(self._conn)

    def _unanswered(self, now: float, deadline: float) -> None:
        self._late = self._late + 1 if now > deadline + LATE_SECONDS else 0
        if not self._late or self._late >= LATE_TIMES:
            self._silent(now - self._started)
        if now >= self._started + self._connect_seconds:
            self.close()

    def _silent(self, seconds: float) -> None:
        if not self._pool.silent:
            logger.warning(
                "PostgreSQL has not answered for %.1f s: requests are refused until it answers", seconds
            )
        self._pool.hang_up()

    def _answers(self) -> None:
        if self._pool.silent:
            logger.info("PostgreSQL answers again")
        self._pool.silent = False
        self._late = 0


def _forget(asking: "asyncio.Task[None]") -> None:
    if not asking.cancelled():
        asking.exception()  # it was raised for nobody: asyncio must not log it
