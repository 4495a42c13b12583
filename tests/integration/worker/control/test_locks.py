"""A lock that somebody holds in the way of one account takes no turn from the other accounts."""

import asyncio

from schemas.ids import AccountId
from storage.background import beside
from storage.context import Context
from tests.factories import contact, make_account, make_job
from tests.waiting import until
from tests.workers import barred, claim, drain, job_of, waiting_backends
from worker.apply import apply_chunk
from worker.bells.poll import Poll
from worker.turn import take_turn

SECONDS = 15  # a wait of 20 seconds for one lock would be too long


async def has_contact(ctx: Context, account_id: AccountId) -> bool:
    return await ctx.pool.fetchval("SELECT true FROM contacts WHERE account_id = $1", account_id) is True


async def test_a_locked_contact_delays_its_job_and_no_other_account(ctx: Context) -> None:
    locked, free = await make_account(ctx), await make_account(ctx)
    await make_job(ctx, locked.id, [contact(1)])
    await drain(ctx)
    waits = await make_job(ctx, locked.id, [contact(1, name="later")])
    async with barred(ctx, f"SELECT FROM contacts WHERE phone = '{contact(1)['phone']}' FOR UPDATE"):
        await make_job(ctx, free.id, [contact(2)])
        async with asyncio.timeout(SECONDS):
            while not await has_contact(ctx, free.id):
                await take_turn(ctx)
    assert (await job_of(ctx, locked.id, waits)).state == "running"
    await drain(ctx)
    job = await job_of(ctx, locked.id, waits)
    assert (job.state, job.updated) == ("completed", 1)
    assert await ctx.pool.fetchval("SELECT max(deaths) FROM chunks") == 0


async def test_without_redis_a_job_that_cannot_be_finished_delays_no_other_account(ctx: Context) -> None:
    locked, free = await make_account(ctx), await make_account(ctx)
    job_id = await make_job(ctx, locked.id, [contact(1)])
    chunk = await claim(ctx)
    async with barred(ctx, f"SELECT FROM jobs WHERE id = '{job_id}' FOR UPDATE"):
        applying = asyncio.create_task(apply_chunk(ctx, chunk))  # applies it; then its finish waits
        await until(lambda: waiting_backends(ctx))
        async with beside(Poll(ctx, lambda: False).run_forever()):
            await make_job(ctx, free.id, [contact(2)])
            await until(lambda: has_contact(ctx, free.id), seconds=SECONDS)
            assert (await job_of(ctx, locked.id, job_id)).finished_at is None
    await asyncio.wait({applying})
    await drain(ctx)
    assert (await job_of(ctx, locked.id, job_id)).state == "completed"
