"""Migrations: numbered SQL scripts that upgrade any earlier schema to the one in `storage/schema`.

A script never changes after its release. All scripts that are due run in one transaction, followed by the
functions and views of `storage/schema`, whose text the scripts do not repeat.
"""

import asyncio
from pathlib import Path
from typing import NamedTuple

import asyncpg

from storage import schema
from storage.postgres.connection import connect
from storage.postgres.db_errors import LOCKED_OUT
from storage.postgres.pool import Conn, Pool

HERE = Path(__file__).parent
LOCK = 0x62756C6B  # 'bulk': one migrator at a time
ATTEMPTS = 5  # workers may be running: a deadlock with one of them is possible


class SchemaNotReady(Exception):
    """The schema is not the one that this code needs. Run `bulklane migrate`."""


class Version(NamedTuple):
    """The version of a schema: its newest migration, and the fingerprint of its functions and views."""

    revision: str
    fingerprint: str

    def __str__(self) -> str:
        return f"schema revision {self.revision} ({self.fingerprint[:8] or 'no fingerprint'})"


def scripts() -> dict[str, Path]:
    """Return the migrations by revision, oldest first."""
    return {path.name.partition("_")[0]: path for path in sorted(HERE.glob("[0-9]*.sql"))}


def wanted() -> Version:
    """Return the version that this code needs."""
    return Version(max(scripts()), schema.fingerprint())


async def current(conn: Conn) -> Version | None:
    """Return the version of the database, or None if no migration has run.

    Up to revision 0002, Alembic ran the scripts and stored the revision in its own table, without a
    fingerprint.
    """
    if await _has_table(conn, "schema_version"):
        row = await conn.fetchrow("SELECT revision, fingerprint FROM schema_version")
        return Version(**row) if row else None
    if await _has_table(conn, "alembic_version"):
        try:
            revision: str | None = await conn.fetchval("SELECT version_num FROM alembic_version")
        except asyncpg.UndefinedTableError:  # a migrator has just dropped the table
            return None
        return Version(revision, "") if revision else None
    return None


async def migrate(database_url: str) -> Version:
    """Upgrade the database to the version of this code and return that version. Concurrent calls are safe.

    Raises SchemaNotReady if the database is newer, and Unreachable if it does not respond.
    """
    async with connect(database_url) as conn:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                if await current(conn) != wanted():
                    await _upgrade(conn)
                break
            except LOCKED_OUT:
                if attempt == ATTEMPTS:
                    raise
    return wanted()


async def wait_until_current(pool: Pool, *, seconds: float = 60) -> None:
    """Wait until the database has the version of this code.

    A process manager starts the migration, the api and the workers at the same time; the api and the workers
    wait here. Raises SchemaNotReady after `seconds`.
    """
    needed = wanted()
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        async with pool.acquire() as conn:
            version = await current(conn)
        if version == needed:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise SchemaNotReady(
                f"the database has {version or 'no schema'}, this code needs {needed}: run `bulklane migrate`"
            )
        await asyncio.sleep(0.1)


async def _upgrade(conn: Conn) -> None:
    """Run the migrations that are due and create the functions and views, in one transaction."""
    needed = wanted()
    async with conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        version = await current(conn)
        if version == needed:  # another migrator was faster
            return
        if version and version.revision > needed.revision:
            raise SchemaNotReady(
                f"the database has {version}, newer than this code's {needed}: install the newer release"
            )
        for revision, script in scripts().items():
            if not version or revision > version.revision:
                await conn.execute(script.read_text())
        await _lock_views(conn)
        for text in schema.objects():
            await conn.execute(text)
        await conn.execute("DELETE FROM schema_version")
        await conn.execute("INSERT INTO schema_version (revision, fingerprint) VALUES ($1, $2)", *needed)


async def _lock_views(conn: Conn) -> None:
    """Lock the views in the order in which queries lock them: a view before the views that it uses.

    They are created in the opposite order, which would deadlock with every claim of a running worker.
    """
    for view in schema.views():
        # this changes nothing; LOCK TABLE would also lock the tables
        await conn.execute(f"ALTER VIEW IF EXISTS {view} RESET (security_barrier)")


async def _has_table(conn: Conn, name: str) -> bool:
    # to_regclass may use a cache that is older than the advisory lock; a query does not
    exists: bool = await conn.fetchval(
        """SELECT EXISTS (
               SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relname = $1 AND n.nspname = ANY (current_schemas(false)))""",
        name,
    )
    return exists
