"""The jobs of a stream take effect in the order in which they were accepted, with any number of workers."""

import asyncio
import random

from schemas.formats.content_type import Format
from schemas.ids import AccountId, new_job_id
from schemas.items.reader import spans
from schemas.operations import JobParams, Operation
from storage.context import Context
from storage.pipeline import finish, uploads
from storage.postgres.pool import Conn
from tests.factories import contact, make_account, make_job
from tests.waiting import until
from tests.workers import claim, claim_chunk, drain, job_of, lease, lock_next, waiting_backends
from worker.apply import apply_chunk


async def test_each_job_of_a_stream_starts_after_the_previous_one_has_ended(
    ctx: Context, crew: list[Context]
) -> None:
    rng = random.Random(1)
    accounts = [await make_account(ctx) for _ in range(2)]
    for k in range(15):
        for account in accounts:
            items = [contact(n, name=f"job {k}") for n in rng.sample(range(12), 12)]
            await make_job(ctx, account.id, items, chunk_items=rng.randint(2, 6), parallel=rng.randint(1, 6))
    await drain(*crew)
    for account in accounts:
        rows = await ctx.pool.fetch(
            "SELECT started_at, finished_at FROM jobs WHERE account_id = $1 ORDER BY stream_position",
            account.id,
        )
        times = [time for row in rows for time in row]
        assert len(times) == 30
        assert times == sorted(times)
    assert {name for (name,) in await ctx.pool.fetch("SELECT name FROM contacts")} == {"job 14"}


async def test_the_next_job_waits_while_chunks_are_in_flight(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    first = await make_job(ctx, account.id, [contact(n) for n in range(6)], chunk_items=3)
    second = await make_job(ctx, account.id, [contact(n) for n in range(6)], chunk_items=3)
    held = [await claim(crew[0]), await claim(crew[1])]
    assert {claimed.job_id for claimed in held} == {first}
    assert await claim_chunk(crew[2]) is None
    await apply_chunk(crew[0], held[0])
    assert await claim_chunk(crew[2]) is None
    await apply_chunk(crew[1], held[1])
    assert (await claim(crew[2])).job_id == second


async def test_jobs_of_different_streams_do_not_wait_for_each_other(ctx: Context) -> None:
    account = await make_account(ctx)
    held = []
    for stream in ("contacts", "preferences"):
        held.append(await make_job(ctx, account.id, [contact(1)], stream=stream))
    assert {(await claim(ctx)).job_id for _ in held} == set(held)


async def test_the_next_job_waits_for_a_job_that_is_not_split(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(1)], split=False)
    await make_job(ctx, account.id, [contact(1)])
    assert await claim_chunk(ctx) is None


async def test_a_job_has_at_most_parallel_chunks_in_flight(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(n) for n in range(40)], chunk_items=2, parallel=3)
    claims = await asyncio.gather(*(claim_chunk(worker) for worker in crew for _ in range(3)))
    assert sum(claimed is not None for claimed in claims) == 3


async def test_no_chunk_is_claimed_twice(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(n) for n in range(40)], chunk_items=2, parallel=64)
    claims = await asyncio.gather(*(claim_chunk(worker) for worker in crew for _ in range(10)))
    taken = [claimed.first_index for claimed in claims if claimed is not None]
    assert sorted(taken) == list(range(0, 40, 2))


async def test_a_chunk_that_is_not_ready_any_more_is_not_leased(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=100)
    await make_job(ctx, account.id, [contact(n) for n in range(10)])
    async with ctx.pool.acquire() as conn, conn.transaction():
        chunk = await lock_next(conn)
        assert chunk is not None
        leases = [await lease(ctx, conn, chunk, items=4, token=token) for token in (1, 2)]
    assert [lease and lease.token for lease in leases] == [1, None]


async def test_concurrent_accepts_are_ordered_by_commit(ctx: Context) -> None:
    account = await make_account(ctx)
    await asyncio.gather(*(make_job(ctx, account.id, [contact(n)]) for n in range(40)))
    rows = await ctx.pool.fetch("SELECT stream_position FROM jobs ORDER BY accepted_at")
    assert [row["stream_position"] for row in rows] == list(range(1, 41))
    await drain(ctx)
    assert await ctx.pool.fetchval("SELECT pending FROM streams") == 0


async def test_an_accept_waits_for_the_commit_of_the_previous_one(ctx: Context) -> None:
    account = await make_account(ctx)
    async with ctx.pool.acquire() as conn, conn.transaction():
        await _accept(conn, account.id)
        second = asyncio.create_task(make_job(ctx, account.id, [contact(2)]))
        await until(lambda: waiting_backends(ctx))
        assert not second.done()
    second_id = await second
    assert await ctx.pool.fetchval("SELECT stream_position FROM jobs WHERE id = $1", second_id) == 2


async def _accept(conn: Conn, account_id: AccountId) -> None:
    body = b'{"phone": "+14152000001"}'
    job = uploads.NewJob(
        account_id=account_id,
        id=new_job_id(),
        operation=Operation.CONTACTS_UPSERT,
        stream="contacts",
        format=Format.NDJSON,
        params=JobParams(),
        parallel=1,
        request_id="req_test",
    )
    await uploads.open_job(conn, job)
    await uploads.add_part(conn, account_id, job.id, 0, body)
    total = await uploads.add_chunks(conn, account_id, job.id, 0, 0, spans(Format.NDJSON, None, body, 10))
    received = uploads.Received(layout=None, parallel=1, parts=1, size=len(body), total=total)
    assert await uploads.accept(conn, job, received)


async def test_a_job_is_not_finished_while_a_chunk_is_applied(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(4)], chunk_items=2)
    first, second = await claim(ctx), await claim(ctx)
    await apply_chunk(ctx, first)
    assert await finish.claim(ctx.pool, account.id, job_id) is None
    await apply_chunk(ctx, second)
    assert (await job_of(ctx, account.id, job_id)).state == "completed"
