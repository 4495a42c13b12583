"""The time limits of statements, of the server and of the pool, can be lifted for a transaction."""

import asyncio

import pytest

from storage.context import Context
from storage.pipeline import turns
from storage.postgres import pool as pools
from storage.postgres.pool import close_pool, open_pool
from storage.postgres.transactions import transact, transaction
from tests.factories import make_account
from tests.workers import barred


async def test_a_transaction_of_unlimited_time_outlasts_the_limit_of_the_pool(
    ctx: Context, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await make_account(ctx)
    monkeypatch.setattr(pools, "COMMAND_SECONDS", 0.3)
    pool = await open_pool(database_url, size=2, name="test")

    async def lock(*, unlimited_time: bool) -> None:
        async with transaction(pool, unlimited_time=unlimited_time) as conn:
            await turns.lock(conn, account.id)

    async with barred(ctx, f"SELECT FROM account_turns WHERE account_id = {account.id} FOR UPDATE"):
        patient = asyncio.create_task(lock(unlimited_time=True))
        with pytest.raises(TimeoutError):
            await lock(unlimited_time=False)
        assert not patient.done()
    await patient
    await close_pool(pool)


async def test_what_may_take_long_outlasts_a_shorter_limit_of_the_pool(
    ctx: Context, database_url: str
) -> None:
    account = await make_account(ctx)
    pool = await open_pool(database_url, size=3, name="test", command_seconds=0.3)

    async def change() -> None:
        await transact(pool, lambda conn: turns.lock(conn, account.id))

    async def accept() -> None:
        async with transaction(pool, long_wait=True) as conn:
            await turns.lock(conn, account.id)

    async with barred(ctx, f"SELECT FROM account_turns WHERE account_id = {account.id} FOR UPDATE"):
        patient = [asyncio.create_task(change()), asyncio.create_task(accept())]
        with pytest.raises(TimeoutError):
            async with transaction(pool) as conn:
                await turns.lock(conn, account.id)
        assert not any(task.done() for task in patient)
    await asyncio.gather(*patient)
    await close_pool(pool)
