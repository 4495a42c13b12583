"""Cancel many queued jobs in one transaction: only those, and only if no claim is in progress."""

import asyncio

from schemas.operations import JobParams, Operation
from storage.context import Context
from storage.pipeline import cancellation
from tests.factories import contact, make_account, make_job, phone
from tests.waiting import until
from tests.workers import barred, claim, claim_chunk, drain, job_of, waiting_backends
from worker.finish import finish_if_last

ROWS = "SELECT * FROM jobs WHERE id = ANY ($1) ORDER BY id"
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
