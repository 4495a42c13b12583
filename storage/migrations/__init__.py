"""Migrations of the schema, run by alembic over asyncpg; each is one SQL script."""

import asyncio
from pathlib import Path

import asyncpg

from storage.postgres.pool import Conn, Pool

HERE = Path(__file__).parent
LOCK = 0x62756C6B  # 'bulk': one migrator at a time


class SchemaNotReady(Exception):
    """The schema is not the one of this code; run `bulklane migrate`."""


def head() -> str:
    """The revision that this code needs: that of the newest script (their names are ordered)."""
    return max(path.name for path in (HERE / "versions").glob("[0-9]*.py")).split("_")[0]


async def current(conn: Conn) -> str | None:
    """The revision of the database, or None where nothing was migrated yet."""
    try:
        revision: str | None = await conn.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    return revision


async def migrate(database_url: str) -> str:
    """Bring the database to the newest revision and return it; safe to run at the same time twice."""
    conn = await asyncpg.connect(database_url)
    try:
        if await current(conn) == head():
            return head()
    finally:
        await conn.close()
    await _upgrade(database_url)
    return head()


async def wait_until_current(pool: Pool, *, seconds: float = 60) -> None:
    """Return once the schema is this code's; raise SchemaNotReady if it does not become so.

    A process manager starts the release, the api and the workers at once: the latter wait here.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        async with pool.acquire() as conn:
            revision = await current(conn)
        if revision == head():
            return
        if asyncio.get_running_loop().time() > deadline:
            raise SchemaNotReady(
                f"the database is at revision {revision}, this code needs {head()}: run `bulklane migrate`"
            )
        await asyncio.sleep(0.1)


def run_script(name: str) -> None:
    """Run one SQL script of `versions/` as it stands, in alembic's transaction."""
    from alembic import op  # only a migrator pays for importing alembic

    script = (HERE / "versions" / name).read_text()
    driver = op.get_bind().connection.dbapi_connection
    assert driver is not None
    driver.run_async(lambda conn: conn.execute(script))


async def _upgrade(database_url: str) -> None:
    from alembic import command  # as above
    from alembic.config import Config
    from sqlalchemy import Connection, text
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))

    def upgrade(connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    async def connect() -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(database_url)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(upgrade)
        await connection.commit()
    await engine.dispose()
