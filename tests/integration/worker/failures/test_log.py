"""What fails again and again is logged once, with a traceback only if it is our fault."""

import logging

import pytest

from schemas.settings import Settings
from storage.context import Context
from storage.postgres.pool import close_pool
from tests.factories import contact, make_account, make_job
from tests.workers import open_worker
from worker.bells import arq_app
from worker.turn import take_turn


async def test_bells_that_ring_while_postgres_is_away_log_one_line(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with open_worker(settings) as worker:
        await close_pool(worker.pool)  # as if PostgreSQL was away
        for _ in range(20):
            await arq_app.work({"context": worker, "job_id": "work:0:1:a"})
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "InterfaceError" in record.getMessage()
    assert not record.exc_info


async def test_an_error_of_ours_is_logged_once_with_its_traceback(
    ctx: Context, caplog: pytest.LogCaptureFixture
) -> None:
    account = await make_account(ctx)
    for n in range(5):
        await make_job(ctx, account.id, [contact(n)], stream=f"stream {n}")
    await ctx.pool.execute("ALTER TABLE contacts RENAME nickname TO away")
    caplog.set_level(logging.INFO)
    await take_turn(ctx)
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "UndefinedColumn" in str(record.exc_info)
