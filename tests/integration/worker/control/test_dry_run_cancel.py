"""Cancel dry runs: before they start, between two chunks, and after their worker died."""

import asyncio

import pytest

from schemas.ids import AccountId, JobId
from storage.context import Context
from storage.pipeline import cancellation
from tests.factories import contact, make_account, make_contacts, make_job, phone
from tests.integration.worker.dry_runs import Stop, die, dump, expire, report_of
from tests.workers import counts_of, job_of, results_of, unfinished
from worker.dry_run import dry_run_next
from worker.finish import finish_if_last
from worker.reconcile import reconcile

ITEMS = [contact(n % 9, name=f"Name {n // 3}") for n in range(12)] + [{"phone": "12"}]


@pytest.fixture
async def job(ctx: Context) -> tuple[AccountId, JobId]:
    """Make a dry run of five chunks; three of its contacts exist."""
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, [0, 1, 2], name="Name 0")
    return account.id, await make_job(ctx, account.id, ITEMS, chunk_items=3, dry_run=True)


@pytest.mark.parametrize("chunks", [0, 2, 4])
async def test_a_dry_run_is_cancelled_between_two_chunks(
    ctx: Context,
    crew: list[Context],
    job: tuple[AccountId, JobId],
    monkeypatch: pytest.MonkeyPatch,
    chunks: int,
) -> None:
    before = await dump(ctx)
    stop = Stop(monkeypatch, chunks)
    dry_running = asyncio.create_task(dry_run_next(crew[0]))
    await stop.reached.wait()
    assert await cancellation.cancel(ctx.pool, *job) is not None
    stop.resume.set()
    assert await dry_running
    report = await report_of(ctx, *job)
    assert (report["state"], report["counts"]["cancelled"]) == ("cancelled", 13 - 3 * chunks)
    assert sum(report["counts"].values()) == len(report["results"]) == 13
    assert await dump(ctx) == before
    known = {result.contact_id for result in await results_of(ctx, *job)} - {None}
    assert known <= {row["id"] for row in await ctx.pool.fetch("SELECT id FROM contacts")}
    assert await ctx.pool.fetchval("SELECT pending FROM streams") == 0


async def test_a_queued_dry_run_is_cancelled_at_once(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(1)])
    job_id = await make_job(ctx, account.id, [contact(1)], dry_run=True)
    assert await cancellation.cancel(ctx.pool, account.id, job_id) is not None
    await finish_if_last(ctx, account.id, job_id)
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"cancelled": 1}
    assert await ctx.pool.fetchval("SELECT pending FROM streams") == 1


async def test_any_worker_ends_a_cancelled_dry_run_whose_worker_died(
    ctx: Context, crew: list[Context], job: tuple[AccountId, JobId], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Stop(monkeypatch, 2)
    first = asyncio.create_task(dry_run_next(crew[0]))
    await stop.reached.wait()
    await die(first, monkeypatch)
    assert await cancellation.cancel(ctx.pool, *job) is not None
    await expire(ctx)
    assert not await dry_run_next(ctx)
    await reconcile(ctx)
    await finish_if_last(ctx, *job)
    row = await job_of(ctx, *job)
    assert (row.state, row.cancelled, sum(counts_of(row).values())) == ("cancelled", 7, 13)


async def test_finish_leaves_a_dry_run_alone(ctx: Context, job: tuple[AccountId, JobId]) -> None:
    """All chunks of a dry run are done before it ends; settling it would apply its items."""
    await ctx.pool.execute("UPDATE chunks SET state = 'done', updated = items")
    await finish_if_last(ctx, *job)
    assert await unfinished(ctx) == 1
    assert await ctx.pool.fetchval("SELECT count(*) FROM contacts WHERE phone > $1", phone(2)) == 0
