"""Dry runs whose worker dies, resumes late, shuts down, or is killed by an item."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import asyncpg
import pytest

from schemas.ids import AccountId, JobId
from schemas.states import Outcome
from storage.context import Context
from storage.pipeline import dry_runs, leases
from storage.pipeline.chunks import Members
from storage.pipeline.results import Done, ItemResults
from storage.postgres.db_errors import LOST_CONNECTION
from storage.postgres.pool import Conn
from tests.factories import contact, make_account, make_contacts, make_job
from tests.integration.worker.cancelling import waiting
from tests.integration.worker.dry_runs import Stop, die, dry_run_all, dump, expire
from tests.waiting import until
from tests.workers import barred, counts_of, job_of, results_of, unfinished
from worker.attempt import MAX_FAILURES
from worker.dry_run import dry_run_next
from worker.operations.base import Applied, Indexed, JobFacts
from worker.operations.contacts_upsert import ContactsUpsert
from worker.operations.registry import operation_of

ITEMS = [contact(n % 9, name=f"Name {n // 3}") for n in range(12)] + [{"phone": "12"}]
COUNTS = {"created": 6, "updated": 3, "merged": 3, "failed": 1}


@pytest.fixture
async def job(ctx: Context) -> tuple[AccountId, JobId]:
    """Make a dry run of five chunks; three of its contacts exist."""
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, [0, 1, 2], name="Name 0")
    return account.id, await make_job(ctx, account.id, ITEMS, chunk_items=3, dry_run=True)


async def assert_completed(ctx: Context, job: tuple[AccountId, JobId]) -> None:
    row = await job_of(ctx, *job)
    assert (row.state, counts_of(row)) == ("completed_with_errors", COUNTS)
    results = await results_of(ctx, *job)
    assert [result.index for result in results] == list(range(13))
    assert len({result.contact_id for result in results} - {None}) == 3
    assert await ctx.pool.fetchval("SELECT count(*) FROM item_errors") == 1
    assert await ctx.pool.fetchval("SELECT pending FROM streams") == 0


@pytest.mark.parametrize(("at", "chunks"), [("_apply_chunk", 0), ("_apply_chunk", 3), ("_end", 0)])
async def test_the_dry_run_of_a_dead_worker_restarts_in_another(
    ctx: Context,
    crew: list[Context],
    job: tuple[AccountId, JobId],
    monkeypatch: pytest.MonkeyPatch,
    at: str,
    chunks: int,
) -> None:
    before = await dump(ctx)
    stop = Stop(monkeypatch, chunks, at)
    first = asyncio.create_task(dry_run_next(crew[0]))
    await stop.reached.wait()
    await die(first, monkeypatch)
    assert not await dry_run_next(crew[1])  # the lease has not expired
    await expire(ctx)
    assert await dry_run_next(crew[1])
    await assert_completed(ctx, job)
    assert await dump(ctx) == before


@pytest.mark.parametrize(("at", "chunks"), [("_apply_chunk", 0), ("_apply_chunk", 3), ("_end", 0)])
@pytest.mark.parametrize("successor", ["has ended", "is running"])
async def test_a_worker_that_resumes_late_changes_nothing(
    ctx: Context,
    crew: list[Context],
    job: tuple[AccountId, JobId],
    monkeypatch: pytest.MonkeyPatch,
    at: str,
    chunks: int,
    successor: str,
) -> None:
    before = await dump(ctx)
    stop = Stop(monkeypatch, chunks, at)
    late = asyncio.create_task(dry_run_next(crew[0]))
    await stop.reached.wait()
    await _end_idle_transactions(ctx)
    await expire(ctx)
    if successor == "has ended":
        assert await dry_run_next(crew[1])
        stop.resume.set()
        await asyncio.wait([late])
    else:
        second_stop = Stop(monkeypatch, 2)
        second = asyncio.create_task(dry_run_next(crew[1]))
        await second_stop.reached.wait()
        stop.resume.set()
        await asyncio.wait([late])
        second_stop.resume.set()
        await second
    with suppress(*LOST_CONNECTION):
        late.result()
    await assert_completed(ctx, job)
    assert await dump(ctx) == before


async def _end_idle_transactions(ctx: Context) -> None:
    """End idle transactions, as PostgreSQL does with those of a stopped worker."""
    await ctx.pool.execute(
        """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND state = 'idle in transaction'"""
    )


async def test_a_late_worker_cannot_record_results(ctx: Context, job: tuple[AccountId, JobId]) -> None:
    first = await dry_runs.claim(ctx.pool)
    assert first is not None
    chunk = await dry_runs.next_chunk(ctx.pool, first, -1)
    assert chunk is not None
    await expire(ctx)
    second = await dry_runs.claim(ctx.pool)
    assert second is not None
    assert not await dry_runs.record(ctx.pool, Done(chunk, ItemResults(), [], Members()))
    assert await dry_runs.next_chunk(ctx.pool, first, -1) is None
    await dry_runs.release(ctx.pool, first, blame=True)
    assert await ctx.pool.fetchval("SELECT sum(deaths) FROM chunks") == 1  # caused by the second claim
    assert await dry_runs.claim(ctx.pool) is None  # the second worker still holds the lease
    async with ctx.pool.acquire() as conn, conn.transaction():
        assert not await dry_runs.lock_complete(conn, first)


async def test_results_that_a_late_worker_is_recording_are_discarded(
    ctx: Context, crew: list[Context], job: tuple[AccountId, JobId]
) -> None:
    first = await dry_runs.claim(crew[0].pool)
    assert first is not None
    chunk = await dry_runs.next_chunk(ctx.pool, first, -1)
    assert chunk is not None
    await expire(ctx)
    async with barred(ctx, "LOCK TABLE chunks IN SHARE MODE"):
        item_results = ItemResults(outcomes=dict.fromkeys(range(chunk.items), Outcome.CREATED))
        late = asyncio.create_task(dry_runs.record(crew[0].pool, Done(chunk, item_results, [], Members())))
        await until(lambda: waiting(ctx, 1))
        taking_over = asyncio.create_task(dry_run_next(crew[1]))
        await until(lambda: waiting(ctx, 2))
    assert await late
    assert await taking_over
    await assert_completed(ctx, job)


async def test_a_slow_dry_run_keeps_its_lease(
    ctx: Context, crew: list[Context], job: tuple[AccountId, JobId], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
    stop = Stop(monkeypatch, 2)
    dry_running = asyncio.create_task(dry_run_next(crew[0]))
    await stop.reached.wait()
    sql = "SELECT lease_until FROM jobs"
    before = await ctx.pool.fetchval(sql)
    async with asyncio.timeout(5):
        while await ctx.pool.fetchval(sql) <= before:  # noqa: ASYNC110 - the renewal gives no signal
            await asyncio.sleep(0.01)
    stop.resume.set()
    assert await dry_running
    await assert_completed(ctx, job)


async def test_a_worker_that_shuts_down_releases_its_dry_run(
    ctx: Context, crew: list[Context], job: tuple[AccountId, JobId], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Stop(monkeypatch, 2)
    first = asyncio.create_task(dry_run_next(crew[0]))
    await stop.reached.wait()
    first.cancel()
    await asyncio.wait([first])
    assert await dry_run_next(crew[1])
    await assert_completed(ctx, job)
    assert await ctx.pool.fetchval("SELECT sum(deaths) FROM chunks") == 0


async def test_a_lost_connection_does_not_blame_the_chunk(
    ctx: Context, crew: list[Context], job: tuple[AccountId, JobId], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Stop(monkeypatch, 2)
    first = asyncio.create_task(dry_run_next(crew[0]))
    await stop.reached.wait()
    await _end_idle_transactions(ctx)
    stop.resume.set()
    with pytest.raises((*LOST_CONNECTION, asyncpg.PostgresError)):
        await first
    assert await dry_run_next(crew[1])
    await assert_completed(ctx, job)
    assert await ctx.pool.fetchval("SELECT sum(deaths) FROM chunks") == 0


@pytest.mark.parametrize("at", [0, 14, 39])
async def test_an_item_that_cannot_be_processed_fails_alone(
    ctx: Context, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    class Poisonous(ContactsUpsert):
        async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
            if any(item.get("name") == "Poison" for _, item in items):
                raise RuntimeError("poison")
            return await super().apply(conn, job, items)

    monkeypatch.setattr(operation_of("contacts.upsert"), "apply", Poisonous().apply, raising=False)
    account = await make_account(ctx)
    items = [contact(n) for n in range(40)]
    items[at]["name"] = "Poison"
    job_id = await make_job(ctx, account.id, items, chunk_items=20, dry_run=True)
    failed = 0
    while await unfinished(ctx):
        try:
            await dry_run_next(ctx)
        except RuntimeError:
            failed += 1
        assert failed <= 3 + 6  # three attempts, one for each halving of 20, one for the item alone
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 39, "failed": 1}
    results = await results_of(ctx, account.id, job_id)
    assert [(result.index, result.code) for result in results if result.code] == [(at, "processing_failed")]
    assert len(results) == 40


async def test_a_chunk_that_kills_workers_is_blamed(
    ctx: Context, crew: list[Context], job: tuple[AccountId, JobId], monkeypatch: pytest.MonkeyPatch
) -> None:
    for deaths in (1, 2):
        stop = Stop(monkeypatch, 2)
        first = asyncio.create_task(dry_run_next(crew[0]))
        await stop.reached.wait()
        await die(first, monkeypatch)
        await expire(ctx)
        stop.resume.set()
        claimed = await dry_runs.claim(ctx.pool)
        assert claimed is not None
        rows = await ctx.pool.fetch("SELECT first_index FROM chunks WHERE deaths = $1", deaths)
        assert [row["first_index"] for row in rows] == [6]
        await dry_runs.release(ctx.pool, claimed, blame=False)
    await dry_run_all(ctx)
    await assert_completed(ctx, job)


async def test_a_dry_run_that_kills_every_worker_after_its_last_chunk_fails(
    ctx: Context, crew: list[Context], job: tuple[AccountId, JobId], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(MAX_FAILURES):
        with monkeypatch.context() as patch:
            stop = Stop(patch, 0, "_end")
            running = asyncio.create_task(dry_run_next(crew[0]))
            await stop.reached.wait()
            await die(running, monkeypatch)
        await expire(ctx)
        await ctx.pool.execute("UPDATE jobs SET retry_at = now() WHERE retry_at IS NOT NULL")
    await dry_run_next(ctx)
    row = await job_of(ctx, *job)
    assert (row.state, row.error_code, counts_of(row)) == ("failed", "dry_run_failed", {"cancelled": 13})
    assert await ctx.pool.fetchval("SELECT sum(deaths) FROM chunks") == 0
