"""How many pages each statement reads for a call, from PostgreSQL's extension pg_stat_statements."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

READ = """
SELECT query, (shared_blks_hit + shared_blks_read)::float / calls AS pages
FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND query NOT LIKE '%pg_stat_statements%'
"""
VALUE = re.compile(r"\$\d+|'[^']*'|\b\d+(?:\.\d+)?\b|\bNULL\b|\btrue\b|\bfalse\b")
LIST = re.compile(r"IN \(\?(, \?| /\*, \.\.\. \*/)+\)")

Read = dict[tuple[str, str], float]  # mean pages of a call, by step and text of the statement: see `text_of`


class PageCounter:
    """Counts what all sessions of a database read, in steps."""

    def __init__(self, conn: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._conn = conn
        self.read: Read = {}

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[None]:
        """Add to `read` what the body reads, under this name."""
        await self._conn.execute("SELECT pg_stat_statements_reset()")
        yield
        for row in await self._conn.fetch(READ):
            key = name, text_of(row["query"])
            self.read[key] = max(row["pages"], self.read.get(key, 0))


def text_of(query: str) -> str:
    """Return a statement in one line, with `?` for each value and each list of values.

    The extension replaces some literals by parameters, but not the same ones each time.
    """
    return LIST.sub("IN (?)", " ".join(VALUE.sub("?", query.rstrip(" ;\n")).split()))


@asynccontextmanager
async def counting(database_url: str) -> AsyncIterator[PageCounter]:
    """Open a connection of its own that counts."""
    conn = await asyncpg.connect(database_url)
    try:
        await conn.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        yield PageCounter(conn)
    finally:
        await conn.close()
