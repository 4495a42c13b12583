"""Cancel many queued jobs in one transaction: only those, and only if no claim is in progress."""

import asyncio

from schemas.operations import JobParams, Operation
from schemas.states import Outcome
from storage.context import Context
from storage.pipeline import cancellation, finish
from tests.factories import contact, make_account, make_job, phone
from tests.waiting import until
from tests.workers import barred, claim, claim_chunk, drain, job_of, results_of, waiting_backends
from worker.apply import apply_chunk
from worker.finish import finish_if_last, ring_finish
from worker.reconcile import end_cancelled

ROWS = "SELECT * FROM jobs WHERE id = ANY ($1) ORDER BY id"
ENDED = "FROM jobs WHERE finished_at IS NOT NULL"
TURN = "SELECT FROM account_turns FOR UPDATE"


async def test_a_job_that_has_ended_or_runs_or_is_locked_is_left_alone(ctx: Context) -> None:
    account = await make_account(ctx)
    ended = await make_job(ctx, account.id, [contact(1)])
    await drain(ctx)
    running = await make_job(ctx, account.id, [contact(n) for n in range(3)], chunk_items=1)
    await claim(ctx)
    locked = await make_job(ctx, account.id, [contact(2)])
    free = await make_job(ctx, account.id, [contact(3)])
    others = [ended, running, locked]
    before = await ctx.pool.fetch(ROWS, others)
    assert [row["state"] for row in before] == ["completed", "running", "queued"]
    other = await make_account(ctx)
    assert await cancellation.cancel_queued(ctx.pool, other.id, [free]) == {}
    async with barred(ctx, f"SELECT FROM jobs WHERE id = '{locked}' FOR UPDATE"):
        stopped = await cancellation.cancel_queued(ctx.pool, account.id, [*others, free])
    assert list(stopped) == [free]
    assert await ctx.pool.fetch(ROWS, others) == before
    assert await ctx.pool.fetchval("SELECT state FROM chunks WHERE job_id = $1", free) == "cancelled"


async def test_it_waits_until_no_claim_of_the_account_is_in_progress(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(1)])

    async def waits() -> bool:
        return cancelling.done() or bool(await waiting_backends(ctx))

    async with barred(ctx, TURN):
        cancelling = asyncio.create_task(cancellation.cancel_queued(ctx.pool, account.id, [job_id]))
        await until(waits)
        assert not cancelling.done()
    assert list(await cancelling) == [job_id]


async def test_small_jobs_that_never_began_end_together(ctx: Context) -> None:
    """A job of several chunks, a dry run, and a job that is being finished end by their own finish."""
    account, other = await make_account(ctx), await make_account(ctx)
    owners = (account, account, other, other)
    small = [(owner.id, await make_job(ctx, owner.id, [contact(1)])) for owner in owners]
    several = await make_job(ctx, account.id, [contact(1), contact(2)], chunk_items=1)
    dry = await make_job(ctx, account.id, [contact(1)], dry_run=True)
    finishing = await make_job(ctx, account.id, [contact(1)])
    last = await make_job(ctx, other.id, [contact(7)])  # it is not cancelled
    for owner, more in ((account, [several, dry, finishing]), (other, [])):
        jobs = [job_id for account_id, job_id in small if account_id == owner.id] + more
        assert set(await cancellation.cancel_queued(ctx.pool, owner.id, jobs)) == set(jobs)
    assert await finish.claim(ctx.pool, account.id, finishing) is not None
    for _ in range(2):
        await end_cancelled(ctx)
        rows = await ctx.pool.fetch(f"SELECT state, cancelled, started_at, id {ENDED} ORDER BY id")
        assert [tuple(row) for row in rows] == [("cancelled", 1, None, job_id) for _, job_id in small]
        assert await ctx.pool.fetchval("SELECT count(*) FROM job_history") == len(small)
    assert await ctx.pool.fetchval(f"SELECT count(DISTINCT finished_at) {ENDED}") == 1  # in one transaction
    assert await ctx.pool.fetchval("SELECT count(*) FROM parts") == 4
    assert await ctx.pool.fetchval("SELECT sum(pending) FROM streams") == 4
    for account_id, job_id in small:
        assert [result.outcome for result in await results_of(ctx, account_id, job_id)] == [Outcome.CANCELLED]
    assert (await claim(ctx)).job_id == last


async def test_what_was_applied_before_the_cancellation_keeps_its_results(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(1)])
    await apply_chunk(ctx, await claim(ctx), finish=ring_finish)
    await ctx.pool.execute("UPDATE jobs SET cancel_requested_at = now()")
    await end_cancelled(ctx)
    assert (await job_of(ctx, account.id, job_id)).state == "running"
    await finish_if_last(ctx, account.id, job_id)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.created, job.cancelled) == ("completed", 1, 0)


async def test_the_next_job_does_not_wait_for_the_window_of_a_cancelled_one(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=1_000, window_seconds=3600)
    await make_job(ctx, account.id, [contact(n) for n in range(900)])
    await drain(ctx)
    large, small = [
        await make_job(
            ctx, account.id, [{"phone": phone(n)} for n in range(items)],
            operation=Operation.LABELS_ATTACH, params=JobParams(label_id=1),
        )
        for items in (500, 50)
    ]  # fmt: skip
    assert await claim_chunk(ctx) is None
    assert (await job_of(ctx, account.id, large)).throttled_until is not None
    assert list(await cancellation.cancel_queued(ctx.pool, account.id, [large])) == [large]
    await finish_if_last(ctx, account.id, large)
    assert (await claim(ctx)).job_id == small
