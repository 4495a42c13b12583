"""Turns are fair: a large job delays no other account, idle accounts gain no credit, none starves."""

from collections import Counter

from schemas.ids import AccountId
from schemas.settings import Settings
from storage.context import Context
from storage.pipeline import cancellation, chunks
from storage.pipeline.chunks import TOGETHER
from storage.pipeline.leases import new_token
from storage.postgres.pool import Conn
from tests.factories import contact, make_account, make_job
from tests.workers import claim, claim_chunk, drain, open_worker
from worker.apply import apply_chunk
from worker.finish import finish_if_last


async def make_big_job(ctx: Context, account_id: AccountId, number: int = 50) -> None:
    await make_job(ctx, account_id, [contact(n) for n in range(number * 3)], chunk_items=3, parallel=4)


async def serve(ctx: Context, number: int) -> list[AccountId]:
    """Claim and apply chunks one by one; return the account of each."""
    served = []
    for _ in range(number):
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
    await make_big_job(ctx, back.id, number=1)
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
        await make_big_job(ctx, newcomer.id, number=20)
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


async def test_a_large_job_does_not_starve_the_other_streams_of_its_account(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=0)
    large = await make_job(ctx, account.id, [contact(n) for n in range(40)], chunk_items=10)
    others = [
        await make_job(ctx, account.id, [contact(n) for n in range(20)], chunk_items=10, stream=f"z{number}")
        for number in range(2)
    ]
    served = []
    while (claimed := await claim_chunk(ctx)) is not None:
        served.append(claimed.job_id)
        await apply_chunk(ctx, claimed)
    assert served == [large, *others, large, *others, large, large]
    assert await ctx.pool.fetchval("SELECT count(*) FROM jobs WHERE state = 'completed'") == 3


async def test_a_claim_reads_few_of_the_streams_of_an_account(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=0)
    for number in range(60):
        await make_job(ctx, account.id, [contact(number)], stream=f"label {number:03}")
    async with ctx.pool.acquire() as conn:
        await conn.execute("ANALYZE")
        for _ in range(3):
            before = await _rows_read(conn)
            assert await chunks.claim_unlimited(conn, ctx.worker_id, [new_token()])
            read = await _rows_read(conn) - before
        assert read < 30


async def test_a_claim_does_not_read_the_jobs_that_have_ended(settings: Settings) -> None:
    """PostgreSQL keeps the index entries of ended jobs for a while."""
    async with open_worker(settings, size=1) as worker:
        account = await make_account(worker, item_limit=0)
        for _ in range(2 * TOGETHER):
            await make_job(worker, account.id, [contact(1)])
        await drain(worker, turns=1)
        await make_job(worker, account.id, [contact(1)])
        before = await _pages_of_jobs(worker)
        assert await chunks.claim_unlimited(worker.pool, worker.worker_id, [new_token()])
        assert await _pages_of_jobs(worker) - before < 60  # of 128 jobs before it, each on a page of its own


async def test_the_first_unfinished_job_is_found_whatever_order_the_jobs_end_in(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=0)
    jobs = [await make_job(ctx, account.id, [contact(1)]) for _ in range(4)]
    for cancelled in (jobs[3], jobs[1]):
        await cancellation.cancel(ctx.pool, account.id, cancelled)
        await finish_if_last(ctx, account.id, cancelled)
    for job in (jobs[0], jobs[2]):
        claimed = await claim(ctx)
        assert claimed.job_id == job
        await apply_chunk(ctx, claimed)
    rows = await ctx.pool.fetch("SELECT last_position, ended_position, pending FROM streams")
    assert [tuple(row) for row in rows] == [(4, 3, 0)]
    assert await ctx.pool.fetchval("SELECT count(*) FROM claimable") == 0
    last = await make_job(ctx, account.id, [contact(1)])
    assert (await claim(ctx)).job_id == last


async def _pages_of_jobs(ctx: Context) -> int:
    """Return how many pages of `jobs` and of its indexes the only connection of a worker has read."""
    await ctx.pool.execute("SELECT pg_stat_force_next_flush()")
    pages: int = await ctx.pool.fetchval(
        "SELECT heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit FROM pg_statio_user_tables "
        "WHERE relname = 'jobs'"
    )
    return pages


async def _rows_read(conn: Conn) -> int:
    """Return how many rows this connection has read from `streams`."""
    await conn.execute("SELECT pg_stat_force_next_flush()")
    read: int = await conn.fetchval(
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'streams'"
    )
    return read
