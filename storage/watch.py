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
LATE_SECONDS = 0.3  # the event loop itself was busy if the time limit is noticed this late


@asynccontextmanager
async def watching(
    pool: WatchedPool, database_url: str, *, answer_seconds: float = ANSWER_SECONDS
) -> AsyncIterator[None]:
    """Ping the server of the pool while the body runs. A ping that is not answered in time closes the pool.

    All statements in progress then fail with an error of LOST_CONNECTION, and so does every use of the pool
    until a ping is answered.
    """
    watch = _Watch(pool, database_url, answer_seconds)
    async with beside(repeat(EVERY_SECONDS, watch.ping, what="watching PostgreSQL")):
        try:
            yield
        finally:
            watch.close()


class _Watch:
    """Pings on a connection of its own, since those of the pool may all be in use."""

    def __init__(self, pool: WatchedPool, database_url: str, answer_seconds: float) -> None:
        self._pool = pool
        self._answer_seconds = answer_seconds
        self._connect = partial(asyncpg.connect, database_url, server_settings={"application_name": "ping"})
        self._conn: asyncpg.Connection[asyncpg.Record] | None = None

    async def ping(self) -> None:
        """Ping once. Any answer counts, also a refusal: only silence makes statements hang."""
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            async with asyncio.timeout(self._answer_seconds):
                await self._ask()
        except TimeoutError:
            self.close()
            if clock() - started < self._answer_seconds + LATE_SECONDS:
                self._silent()
            return
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            self.close()
        self._answers()

    def close(self) -> None:
        """Close the connection without waiting for the server."""
        if self._conn is not None:
            self._conn.terminate()
        self._conn = None

    async def _ask(self) -> None:
        if self._conn is None:
            self._conn = await self._connect()
        await ping(self._conn)

    def _silent(self) -> None:
        if not self._pool.silent:
            logger.warning(
                "PostgreSQL has not answered for %g s: requests are refused until it answers",
                self._answer_seconds,
            )
        self._pool.hang_up()

    def _answers(self) -> None:
        if self._pool.silent:
            logger.info("PostgreSQL answers again")
        self._pool.silent = False
