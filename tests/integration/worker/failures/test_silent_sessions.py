"""Sessions of processes that were stopped in the middle of a command do not hold locks."""

import asyncpg
import pytest

from schemas.settings import Settings
from storage.context import Context
from storage.postgres.transactions import end_silent_sessions
from tests.factories import make_account
from tests.waiting import until

LOCK = "SELECT FROM accounts WHERE id = $1 FOR UPDATE"


async def _connect(settings: Settings, name: str) -> "asyncpg.Connection[asyncpg.Record]":
    """Connect as a process that is stopped soon: it prepares a statement in a transaction, and no more."""
    conn: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
        settings.database_url, server_settings={"application_name": name}
    )
    return conn


@pytest.mark.parametrize("name", ["bulklane-api", "bulklane-worker"])
async def test_a_session_that_waits_in_the_middle_of_a_command_is_ended(
    ctx: Context, settings: Settings, name: str
) -> None:
    account = await make_account(ctx)
    conn = await _connect(settings, name)
    await conn.execute("BEGIN")
    await conn.fetch(LOCK, account.id)
    await conn.prepare("SELECT 1")  # a message without Sync: the command has not ended
    assert await end_silent_sessions(ctx.pool, seconds=60) == 0
    await until(lambda: end_silent_sessions(ctx.pool, seconds=0))
    await until(lambda: _is_free(ctx, account.id))
    conn.terminate()


async def test_other_sessions_go_on(ctx: Context, settings: Settings) -> None:
    other, idle = await _connect(settings, "a client"), await _connect(settings, "bulklane-worker")
    await other.prepare("SELECT 1")
    assert await end_silent_sessions(ctx.pool, seconds=0) == 0
    for conn in (other, idle):
        assert await conn.fetchval("SELECT 2") == 2
        await conn.close()


async def _is_free(ctx: Context, account_id: int) -> bool:
    return bool(await ctx.pool.fetch(f"{LOCK} SKIP LOCKED", account_id))
