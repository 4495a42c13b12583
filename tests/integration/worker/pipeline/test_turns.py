"""Turns are fair: a large job delays no other account, idle accounts gain no credit, none starves."""

from collections import Counter

from schemas.ids import AccountId
from storage.context import Context
from tests.factories import contact, make_account, make_job
from tests.workers import claim, drain
from worker.apply import apply_chunk


async def make_big_job(ctx: Context, account_id: AccountId, chunks: int = 50) -> None:
    await make_job(ctx, account_id, [contact(n) for n in range(chunks * 3)], chunk_items=3, parallel=4)


async def serve(ctx: Context, chunks: int) -> list[AccountId]:
    """Claim and apply chunks one by one; return the account of each."""
    served = []
    for _ in range(chunks):
        claimed = await claim(ctx)
        await apply_chunk(ctx, claimed)
        served.append(claimed.account_id)
    return served


async def test_a_small_job_is_next_after_the_chunks_in_flight(ctx: Context, crew: list[Context]) -> None:
    big, small = await make_account(ctx), await make_account(ctx)
    await make_big_job(ctx, big.id)
    await serve(ctx, 10)
    held = [await claim(worker) for worker in crew]
    assert {claimed.account_id for claimed in held} == {big.id}
    await make_job(ctx, small.id, [contact(n) for n in range(3)])
    await apply_chunk(crew[0], held[0])
    assert (await claim(crew[0])).account_id == small.id


async def test_an_idle_account_gains_no_credit(ctx: Context) -> None:
    busy, back = await make_account(ctx), await make_account(ctx)
    await make_big_job(ctx, back.id, chunks=1)
    await drain(ctx)
    await make_big_job(ctx, busy.id)
    await serve(ctx, 30)
    await make_big_job(ctx, back.id)
    assert Counter(await serve(ctx, 20)) == {busy.id: 10, back.id: 10}


async def test_a_busy_account_keeps_its_share_when_another_appears(ctx: Context) -> None:
    busy = await make_account(ctx)
    await make_big_job(ctx, busy.id)
    await serve(ctx, 30)
    newcomers = [await make_account(ctx) for _ in range(3)]
    for newcomer in newcomers:
        await make_big_job(ctx, newcomer.id, chunks=20)
    served = Counter(await serve(ctx, 40))
    assert all(9 <= served[account.id] <= 11 for account in (busy, *newcomers))


async def test_turns_are_measured_in_items_and_not_in_chunks(ctx: Context) -> None:
    large, small = await make_account(ctx), await make_account(ctx)
    await make_job(ctx, large.id, [contact(n) for n in range(400)], chunk_items=20)
    await make_job(ctx, small.id, [contact(n) for n in range(100)], chunk_items=2)
    served = Counter(await serve(ctx, 44))
    assert served[large.id] == 4
    assert served[small.id] == 40


async def test_a_stream_of_small_jobs_does_not_starve_a_big_one(ctx: Context) -> None:
    big, small = await make_account(ctx), await make_account(ctx)
    await make_big_job(ctx, big.id)
    served: list[AccountId] = []
    for _ in range(20):
        await make_job(ctx, small.id, [contact(n) for n in range(3)])
        served += await serve(ctx, 1)
    assert served.count(big.id) >= 9


async def test_an_account_without_work_is_not_active(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(1)])
    assert await ctx.pool.fetchval("SELECT active FROM account_turns")
    await drain(ctx)
    assert not await ctx.pool.fetchval("SELECT active FROM account_turns")
