"""Workers and connections that die between effect and commit leave no trace and lose no item."""

import asyncio
from contextlib import suppress

import asyncpg
import pytest

from schemas.ids import AccountId, JobId
from storage.context import Context
from storage.pipeline.chunks import Claim
from storage.postgres.db_errors import LOST_CONNECTION
from tests.factories import contact, make_account, make_job
from tests.integration.worker.commit_loser import autocommitted, commit_loser, committed
from tests.waiting import until
from tests.workers import (
    barred,
    claim,
    claim_chunk,
    counts_of,
    drain,
    expire_leases,
    job_of,
    open_worker,
    versions,
    waiting_backends,
)
from worker.apply import apply_chunk
from worker.finish import finish_if_last
from worker.reconcile import reconcile
from worker.turn import take_turn

BEFORE_THE_EFFECT = "LOCK TABLE contacts IN SHARE MODE"
AFTER_THE_EFFECT = "LOCK TABLE outcomes IN SHARE MODE"


async def one_chunk(ctx: Context) -> tuple[AccountId, JobId]:
    account = await make_account(ctx)
    return account.id, await make_job(ctx, account.id, [contact(n) for n in range(50)])


async def assert_untouched(ctx: Context, account_id: AccountId) -> None:
    assert await versions(ctx, account_id) == {}
    assert await ctx.pool.fetchval("SELECT count(*) FROM outcomes") == 0
    assert await ctx.pool.fetchval("SELECT state FROM chunks") == "running"


async def assert_applied_once_after(ctx: Context, account_id: AccountId, job_id: JobId) -> None:
    await expire_leases(ctx)
    await reconcile(ctx)
    await drain(ctx)
    assert counts_of(await job_of(ctx, account_id, job_id)) == {"created": 50}
    assert len(await versions(ctx, account_id)) == 50


@pytest.mark.parametrize("moment", [BEFORE_THE_EFFECT, AFTER_THE_EFFECT])
async def test_a_worker_cancelled_inside_the_transaction_changes_nothing(
    ctx: Context, crew: list[Context], moment: str
) -> None:
    account_id, job_id = await one_chunk(ctx)
    held = await claim(crew[0])
    async with barred(ctx, moment):
        applying = asyncio.create_task(apply_chunk(crew[0], held))
        await until(lambda: waiting_backends(ctx))
        applying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await applying
    await assert_untouched(ctx, account_id)
    await assert_applied_once_after(ctx, account_id, job_id)


@pytest.mark.parametrize("moment", [BEFORE_THE_EFFECT, AFTER_THE_EFFECT])
async def test_a_connection_cut_inside_the_transaction_changes_nothing(
    ctx: Context, crew: list[Context], moment: str
) -> None:
    account_id, job_id = await one_chunk(ctx)
    held = await claim(crew[0])
    async with barred(ctx, moment):
        await _cut_while_applying(ctx, crew[0], held)
    await assert_untouched(ctx, account_id)
    await assert_applied_once_after(ctx, account_id, job_id)


async def _cut_while_applying(ctx: Context, worker: Context, held: Claim) -> None:
    applying = asyncio.create_task(apply_chunk(worker, held))
    await until(lambda: waiting_backends(ctx))
    for pid in await waiting_backends(ctx):
        await ctx.pool.execute("SELECT pg_terminate_backend($1)", pid)
    with pytest.raises((asyncpg.PostgresError, *LOST_CONNECTION)):
        await applying


async def test_a_cancelled_turn_releases_its_chunk_without_blame(ctx: Context, crew: list[Context]) -> None:
    account_id, job_id = await one_chunk(ctx)
    async with barred(ctx, AFTER_THE_EFFECT):
        turn = asyncio.create_task(take_turn(crew[0]))
        await until(lambda: waiting_backends(ctx))
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
    ((state, deaths),) = await ctx.pool.fetch("SELECT state, deaths FROM chunks")
    assert (state, deaths) == ("ready", 0)
    await drain(crew[1])
    assert counts_of(await job_of(ctx, account_id, job_id)) == {"created": 50}


async def test_a_chunk_whose_commit_lost_its_response_is_applied_once(ctx: Context) -> None:
    assert ctx.settings.database_url is not None
    account_id, job_id = await one_chunk(ctx)
    async with (
        commit_loser(ctx.settings.database_url) as (loser, url),
        open_worker(ctx.settings, database_url=url) as worker,
    ):
        held = await claim(worker)
        loser.armed = committed
        with pytest.raises(LOST_CONNECTION):
            await apply_chunk(worker, held)
        before = await versions(ctx, account_id)
        assert len(before) == 50
        await apply_chunk(worker, held)
    assert await versions(ctx, account_id) == before
    assert counts_of(await job_of(ctx, account_id, job_id)) == {"created": 50}


async def test_a_chunk_whose_claim_lost_its_response_is_claimed_again(ctx: Context) -> None:
    assert ctx.settings.database_url is not None
    async with (
        commit_loser(ctx.settings.database_url) as (loser, url),
        open_worker(ctx.settings, database_url=url) as worker,
    ):
        assert await claim_chunk(worker) is None  # so that the driver asks for no types later
        account_id, job_id = await one_chunk(ctx)
        loser.armed = autocommitted
        with pytest.raises(LOST_CONNECTION):
            await claim_chunk(worker)
    await assert_untouched(ctx, account_id)
    await assert_applied_once_after(ctx, account_id, job_id)


async def test_a_job_whose_finish_lost_its_response_is_finished_once(ctx: Context) -> None:
    assert ctx.settings.database_url is not None
    account_id, job_id = await one_chunk(ctx)
    held = await claim(ctx)
    async with barred(ctx, "SELECT FROM jobs FOR UPDATE"):
        applying = asyncio.create_task(apply_chunk(ctx, held))
        await until(lambda: waiting_backends(ctx))
        applying.cancel()
        with suppress(asyncio.CancelledError):
            await applying
    async with (
        commit_loser(ctx.settings.database_url) as (loser, url),
        open_worker(ctx.settings, database_url=url) as worker,
    ):
        loser.armed = committed
        with pytest.raises(LOST_CONNECTION):
            await finish_if_last(worker, account_id, job_id)
        await finish_if_last(worker, account_id, job_id)
    assert counts_of(await job_of(ctx, account_id, job_id)) == {"created": 50}
    assert await ctx.pool.fetchval("SELECT pending FROM streams") == 0
