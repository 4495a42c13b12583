"""A clock is set back by an hour: nothing that was to end soon waits for an hour.

For PostgreSQL, all stored times are moved one hour into the future, which is the same for all that compares
them.
"""

import time
from functools import partial

import pytest

from schemas.ids import AccountId, JobId
from storage.context import Context
from storage.pipeline import chunks, dry_runs, finish, uploads
from storage.pipeline.leases import Watch
from storage.queue import WORK_BELLS
from tests.factories import contact, make_account, make_job
from tests.integration.worker.cancelling import new_job
from tests.workers import claim, claim_chunk, drain, job_of, lock_next
from worker.reconcile import Leases, free_abandoned, reconcile
from worker.turn import take_turn

BACK = """
    UPDATE {table} SET {column} = {column} + interval '1 hour' WHERE {column} IS NOT NULL
"""
COLUMNS = [
    ("chunks", "lease_until"),
    ("jobs", "lease_until"),
    ("jobs", "retry_at"),
    ("account_turns", "ready_at"),
    ("account_turns", "throttled_at"),
    ("account_turns", "served_at"),
]
TURN = "SELECT virtual_time, start_tag FROM account_turns WHERE account_id = $1"


async def set_back(ctx: Context) -> None:
    for table, column in COLUMNS:
        await ctx.pool.execute(BACK.format(table=table, column=column))


async def test_a_throttled_account_asks_its_window_again(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=1)
    await make_job(ctx, account.id, [contact(1), contact(2)])
    await claim(ctx)
    assert await claim_chunk(ctx) is None
    async with ctx.pool.acquire() as conn, conn.transaction():
        assert await lock_next(conn) is None
    await set_back(ctx)
    async with ctx.pool.acquire() as conn, conn.transaction():
        assert await lock_next(conn) is not None


async def test_a_chunk_of_a_dead_worker_is_freed_and_that_of_a_living_one_is_kept(
    ctx: Context, crew: list[Context]
) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(1), contact(2)], chunk_items=1)
    dead, alive = await claim(crew[0]), await claim(crew[1])
    await set_back(ctx)
    watch = Leases(clock=partial(next, iter((0.0, 1.0, 2.0))))
    await free_abandoned(ctx, watch)
    assert await chunks.renew(crew[1].pool, crew[1].worker_id, crew[1].held) == []
    for _ in range(2):
        await free_abandoned(ctx, watch)
    rows = await ctx.pool.fetch("SELECT first_index, state, deaths FROM chunks")
    assert {row["first_index"]: (row["state"], row["deaths"]) for row in rows} == {
        dead.first_index: ("ready", 1),
        alive.first_index: ("running", 0),
    }


async def test_an_upload_of_a_dead_api_fails(ctx: Context) -> None:
    account = await make_account(ctx)
    upload = new_job(account.id)
    await uploads.open_job(ctx.pool, upload)
    await reconcile(ctx)
    assert (await job_of(ctx, account.id, upload.id)).state == "receiving"
    await set_back(ctx)
    await reconcile(ctx)
    assert (await job_of(ctx, account.id, upload.id)).state == "failed"


async def test_the_dry_run_of_a_dead_worker_is_taken_over(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(1)], dry_run=True)
    assert await dry_runs.claim(ctx.pool) is not None
    await set_back(ctx)
    watch: Watch[dry_runs.DueDryRun] = Watch(clock=partial(next, iter((0.0, 1.0, 2.0))))
    for _ in range(2):
        assert await dry_runs.claim(ctx.pool, watch) is None  # a living worker renews the lease first
    assert await dry_runs.claim(ctx.pool, watch) is not None


@pytest.fixture
async def applied(ctx: Context) -> tuple[AccountId, JobId]:
    """Make a job whose chunks are applied, and which a dead worker was finishing."""
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(1)])
    await ctx.pool.execute("UPDATE chunks SET state = 'done', created = 1")
    await ctx.pool.execute("UPDATE jobs SET state = 'running'")
    assert await finish.claim(ctx.pool, account.id, job_id) is not None
    return account.id, job_id


async def test_the_finish_of_a_dead_worker_is_taken_over(
    ctx: Context, applied: tuple[AccountId, JobId]
) -> None:
    assert await finish.claim(ctx.pool, *applied) is None
    assert await finish.unended(ctx.pool) == []
    await set_back(ctx)
    await reconcile(ctx)
    assert await finish.unended(ctx.pool) == [applied]
    assert await finish.claim(ctx.pool, *applied) is not None


async def test_an_account_that_begins_has_no_advance_over_those_that_were_served_since(ctx: Context) -> None:
    before, busy, new = [(await make_account(ctx)).id for _ in range(3)]
    await make_job(ctx, before, [contact(1)])
    await take_turn(ctx)
    await set_back(ctx)
    await make_job(ctx, busy, [contact(number) for number in range(60)], chunk_items=20)
    await drain(ctx)
    served = await ctx.pool.fetchrow(TURN, busy)
    await make_job(ctx, new, [contact(1)])
    begun = await ctx.pool.fetchrow(TURN, new)
    assert served
    assert begun
    assert begun["virtual_time"] == served["start_tag"] > 0


async def test_bells_that_were_rung_before_a_step_are_rung_again(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(1)])

    async def ring() -> None:
        await ctx.queue.ring_work(WORK_BELLS)
        await ctx.queue.ring_split(account.id, job_id)

    now = time.time()
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: now + 3600)
        await ring()
    assert await _due(ctx) == 0
    for _ in range(2):
        await ring()
        assert await _due(ctx) == WORK_BELLS + 1
    assert await ctx.queue.length() == WORK_BELLS + 1


async def _due(ctx: Context) -> int:
    """Return the number of bells that arq would serve now."""
    redis = ctx.queue.redis
    due: int = await redis.zcount(redis.default_queue_name, "-inf", time.time() * 1000 + 1)
    return due
