"""The reference: plain COPY and INSERT … ON CONFLICT on one connection, the limit that PostgreSQL sets.

The rows are already valid and parsed. Chunks of 1,000 rows are copied to a temporary table and upserted, each
in a transaction of its own.
"""

import time
from collections.abc import Sequence

import asyncpg

from bench.lab.rows import COLUMNS, Row
from storage.postgres.pool import Conn

CHUNK = 1_000
ACCOUNT = 1_000_000_000  # no account of the service has this id

MAKE_STAGE = """
CREATE TEMPORARY TABLE plain_stage (phone text, name text, email text, language text, metadata jsonb)
ON COMMIT DELETE ROWS
"""
UPSERT = """
INSERT INTO {table} (account_id, phone, name, email, language, metadata)
SELECT {account}, phone, name, email, language, metadata FROM plain_stage
ON CONFLICT (account_id, phone) DO UPDATE SET name = excluded.name, email = excluded.email,
    language = excluded.language, metadata = excluded.metadata
"""
FILLFACTOR = """
SELECT option_value FROM pg_class, pg_options_to_table(reloptions)
WHERE oid = 'contacts'::regclass AND option_name = 'fillfactor'
"""


class Plain:
    """Loads rows on a connection of its own into `plain`, a table like `contacts`, or into another table.

    No trigger fires for its rows, because plain SQL would not have them.
    """

    def __init__(self, conn: Conn, table: str, account_id: int) -> None:
        self._conn = conn
        self._upsert = UPSERT.format(table=table, account=account_id)

    @classmethod
    async def connect(cls, database_url: str, table: str = "plain", account_id: int = ACCOUNT) -> "Plain":
        """Open the connection."""
        conn = await asyncpg.connect(database_url)
        await conn.execute("SET session_replication_role = replica")
        await conn.execute(MAKE_STAGE)
        return cls(conn, table, account_id)

    async def empty(self) -> None:
        """Make the table `plain` again, so that no round finds the pages of another one."""
        await self._conn.execute("DROP TABLE IF EXISTS plain")
        await self._conn.execute("CREATE TABLE plain (LIKE contacts INCLUDING ALL)")
        fillfactor = await self._conn.fetchval(FILLFACTOR)  # which LIKE does not copy
        await self._conn.execute(f"ALTER TABLE plain SET (fillfactor = {fillfactor})")

    async def load(self, rows: Sequence[Row]) -> float:
        """Upsert rows. Return the seconds."""
        started = time.perf_counter()
        for at in range(0, len(rows), CHUNK):
            async with self._conn.transaction():
                await self._conn.copy_records_to_table(
                    "plain_stage", records=rows[at : at + CHUNK], columns=COLUMNS
                )
                await self._conn.execute(self._upsert)
        return time.perf_counter() - started

    async def close(self) -> None:
        """Close the connection."""
        await self._conn.close()
