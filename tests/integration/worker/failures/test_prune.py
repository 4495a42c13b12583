"""Pruning deletes what nothing needs any more, by index, in one worker, and whatever else fails."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest

from schemas.ids import AccountId, JobId
from schemas.settings import Settings
from storage import pruning, rounds
from storage.background import beside
from storage.context import Context
from storage.entities import accounts
from storage.entities.accounts import AccountChange
from storage.postgres.pool import Conn
from storage.pruning import OldJobs
from tests.factories import contact, make_account, make_job
from tests.waiting import until
from tests.workers import barred, claim, drain, job_of, open_worker, waiting_backends
from worker import prune
from worker.apply import apply_chunk

DAY = timedelta(days=1)
# 20 accounts with 1,000 rows of the last 1,000 seconds each, and 3 rows that are too old.
MANY = """
INSERT INTO accounts (name) SELECT 'old ' || n FROM generate_series(1, 20) n;
INSERT INTO grants SELECT id, t, 1, t, t
    FROM accounts, generate_series(now() - interval '1000 s', now(), '1 s') t;
INSERT INTO grants SELECT id, t, 1, t, t
    FROM accounts, generate_series(now() - interval '5 days', now() - interval '3 days', '1 day') t;
INSERT INTO admissions SELECT account_id, at, at, at, at FROM grants;
INSERT INTO streams SELECT id, 'contacts', 1, id % 2 FROM accounts;
INSERT INTO contact_changes SELECT id, n, n, '{}' FROM accounts, generate_series(1, 1000) n;
"""
ENDED_JOBS = """
INSERT INTO jobs (account_id, id, operation, stream, state, format, parallel, request_id, total, finished_at)
SELECT a.id, gen_random_uuid(), 'contacts.upsert', 'contacts', 'completed', 'ndjson', 1, 'r', 0,
    now() - CASE WHEN a.keep_jobs_days IS NULL AND n > 100 THEN interval '90 days' ELSE interval '1 day' END
FROM accounts a, generate_series(1, CASE WHEN a.keep_jobs_days IS NULL THEN 101 ELSE 100 END) n
"""
READ = """
SELECT COALESCE(sum(idx_tup_read), 0)::int + (
    SELECT COALESCE(sum(seq_tup_read), 0)::int FROM pg_stat_user_tables WHERE relname = $1)
FROM pg_stat_user_indexes WHERE relname = $1
"""


@pytest.fixture
async def worker(settings: Settings) -> AsyncIterator[Context]:
    """A worker with one connection: statistics of a connection are invisible until it flushes them."""
    async with open_worker(settings, size=1) as worker:
        yield worker


async def read(ctx: Context, table: str) -> int:
    """Return the number of entries that statements have read from a table so far."""
    await ctx.pool.execute("SELECT pg_stat_force_next_flush()")
    return await ctx.pool.fetchval(READ, table)  # type: ignore[no-any-return]


async def end_one(ctx: Context) -> None:
    """Apply and end a job."""
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(1)])
    await drain(ctx)


async def test_grants_and_admissions_are_pruned_by_index(worker: Context) -> None:
    await worker.pool.execute(MANY)
    for table in pruning.WINDOWS:
        before = await read(worker, table)
        await pruning.windows(worker.pool, table)
        assert await read(worker, table) - before <= 20 * 10
        assert await worker.pool.fetchval(f"SELECT count(*) FROM {table}") == 20 * 1001


async def test_many_rows_are_pruned_in_several_statements(ctx: Context) -> None:
    account = await make_account(ctx)
    await ctx.pool.execute(
        "INSERT INTO grants SELECT $1, t, 1, t, t FROM generate_series(1, 2500) n, "
        "LATERAL (SELECT now() - n * interval '1 s' - interval '3 days' AS t) x",
        account.id,
    )
    await ctx.pool.execute("INSERT INTO grants VALUES ($1, now(), 1, now(), now())", account.id)
    await pruning.windows(ctx.pool, "grants")
    assert await ctx.pool.fetchval("SELECT count(*) FROM grants") == 1


async def test_only_the_changes_that_no_job_needs_are_read(worker: Context) -> None:
    await worker.pool.execute(MANY)
    first = await worker.pool.fetchval("SELECT min(account_id) FROM streams")
    await worker.pool.execute("UPDATE streams SET pending = (account_id > $1)::int", first)
    before = await read(worker, "contact_changes")
    await pruning.changes(worker.pool)
    assert await read(worker, "contact_changes") - before <= 2_500
    assert await worker.pool.fetchval("SELECT count(DISTINCT account_id) FROM contact_changes") == 19


async def test_one_worker_prunes(ctx: Context) -> None:
    begun = await asyncio.gather(*(rounds.begin(ctx.pool, "grants", 300) for _ in range(5)))
    assert sorted(begun) == [False, False, False, False, True]
    assert await rounds.begin(ctx.pool, "jobs", 300)
    for step in (-DAY, DAY):  # five minutes later, and after the clock was set back
        await ctx.pool.execute("UPDATE rounds SET begun_at = clock_timestamp() + $1", step)
        assert await rounds.begin(ctx.pool, "grants", 300)


async def test_a_worker_that_waited_for_the_turn_of_another_one_does_not_prune_too(ctx: Context) -> None:
    """Its own time is older than that of the other one, which is not a time in the future."""
    assert await rounds.begin(ctx.pool, "grants", 0)
    async with ctx.pool.acquire() as conn:
        async with conn.transaction():
            await conn.execute("SELECT FROM rounds FOR UPDATE")
            late = asyncio.create_task(rounds.begin(ctx.pool, "grants", 300))
            await until(lambda: waiting_backends(ctx))
            await conn.execute("UPDATE rounds SET begun_at = clock_timestamp()")
        assert not await late


async def test_old_jobs_are_pruned_although_grants_are_locked(ctx: Context) -> None:
    await end_one(ctx)
    await ctx.pool.execute("UPDATE jobs SET finished_at = now() - interval '90 days'")
    async with barred(ctx, "LOCK TABLE grants, admissions"), beside(prune.prune_forever(ctx)):
        await until(lambda: _no_row(ctx, "jobs"))


async def test_each_account_keeps_its_jobs_for_its_own_days(ctx: Context) -> None:
    kept = {}
    for days in (None, 3, 40):
        account = await make_account(ctx)
        await accounts.update(ctx.pool, account.name, AccountChange(keep_jobs_days=days))
        kept[account.id] = await make_job(ctx, account.id, [contact(1)])
    await drain(ctx)

    async def left(ended: timedelta) -> list[bool]:
        await ctx.pool.execute("UPDATE jobs SET finished_at = now() - $1::interval", ended)
        await prune.prune(ctx)
        found = {row["id"] for row in await ctx.pool.fetch("SELECT id FROM jobs")}
        return [job_id in found for job_id in kept.values()]

    assert ctx.settings.keep_jobs_days == 30
    assert await left(2 * DAY) == [True, True, True]
    assert await left(4 * DAY) == [True, False, True]
    assert await left(31 * DAY) == [False, False, True]
    await accounts.update(ctx.pool, account.name, AccountChange(keep_jobs_days=7))
    assert await left(8 * DAY) == [False, False, False]
    assert await ctx.pool.fetchval("SELECT count(*) FROM outcomes") == 0


async def test_an_account_with_many_old_jobs_makes_no_other_wait(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[AccountId] = []
    delete = pruning.job

    async def job(conn: Conn, old: OldJobs) -> int:
        count = await delete(conn, old)
        order.extend([old.account_id] * count)
        return count

    monkeypatch.setattr(pruning, "job", job)
    monkeypatch.setattr(prune, "SHARE_JOBS", 2, raising=False)
    many, few = await make_account(ctx), await make_account(ctx)
    for account in (many, many, many, few):
        await make_job(ctx, account.id, [contact(1)])
    await ctx.pool.execute("UPDATE jobs SET state = 'completed', finished_at = now() - interval '90 days'")
    await prune.prune(ctx)
    assert order == [many.id, many.id, few.id, many.id]


async def test_old_jobs_are_found_by_one_look_up_for_each_account(worker: Context) -> None:
    """The jobs of an account that keeps them longer than the others hide no older ones, and are not read."""
    await worker.pool.execute(MANY)
    await worker.pool.execute("UPDATE accounts SET keep_jobs_days = 400 WHERE id % 2 = 0")
    await worker.pool.execute(ENDED_JOBS)
    before = await read(worker, "jobs")
    await prune.prune(worker)
    assert await read(worker, "jobs") - before <= 20 * 10
    assert await worker.pool.fetchval("SELECT count(*) FROM jobs") == 20 * 100


async def test_the_parts_of_a_job_are_deleted_when_it_has_ended(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(n) for n in range(4)], chunk_items=2)
    first, second = await claim(ctx), await claim(ctx)
    await apply_chunk(ctx, first)
    assert await ctx.pool.fetchval("SELECT count(*) FROM parts") == 1
    await apply_chunk(ctx, second)
    assert await ctx.pool.fetchval("SELECT count(*) FROM parts") == 0


async def test_the_parts_of_small_jobs_are_deleted_when_they_have_ended(ctx: Context) -> None:
    await end_one(ctx)
    assert await ctx.pool.fetchval("SELECT count(*) FROM parts") == 0


async def test_parts_that_a_dead_worker_left_are_pruned(ctx: Context) -> None:
    account = await make_account(ctx)
    ended = await make_job(ctx, account.id, [contact(1)])
    await drain(ctx)
    await ctx.pool.execute(
        "INSERT INTO parts SELECT $1, $2, n, '' FROM generate_series(1, 100) n", account.id, ended
    )
    waiting = await make_job(ctx, account.id, [contact(2)])
    await prune.prune(ctx)
    assert [row["job_id"] for row in await ctx.pool.fetch("SELECT job_id FROM parts")] == [waiting]
    await drain(ctx)
    assert (await job_of(ctx, account.id, waiting)).created == 1


async def _no_row(ctx: Context, table: str) -> bool:
    return not await ctx.pool.fetchval(f"SELECT EXISTS (SELECT FROM {table})")


async def test_what_is_kept_of_a_job_that_was_never_accepted_is_pruned(ctx: Context) -> None:
    """A process that was stopped may store a part after its job was deleted."""
    account = await make_account(ctx)
    deleted, failed = JobId(uuid4()), await make_job(ctx, account.id, [contact(1)])
    ended = await make_job(ctx, account.id, [contact(2)])
    await ctx.pool.execute("UPDATE jobs SET finished_at = now()")
    await ctx.pool.execute("UPDATE jobs SET accepted_at = NULL WHERE id = $1", failed)
    for job_id in (deleted, failed, ended):
        for table in ("parts", "kept_parts"):
            await ctx.pool.execute(
                f"INSERT INTO {table} SELECT $1, $2, n, '' FROM generate_series(1, 100) n", account.id, job_id
            )
    await pruning.forgotten_parts(ctx.pool)
    assert await ctx.pool.fetchval("SELECT count(*) FROM parts") == 0
    kept = await ctx.pool.fetch("SELECT job_id FROM kept_parts")
    assert [row["job_id"] for row in kept] == [ended] * 100
