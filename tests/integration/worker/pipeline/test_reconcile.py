"""The reconciler resumes what a dead process or a lost Redis interrupted."""

import asyncio
import logging

import pytest

from schemas.formats.content_type import Format
from schemas.ids import AccountId, JobId, new_job_id
from schemas.operations import JobParams, Operation
from storage.context import Context
from storage.pipeline import finish, uploads
from storage.pipeline.leases import LEASE_SECONDS, PATIENCE_SECONDS
from tests.factories import contact, make_account, make_job
from tests.waiting import until
from tests.workers import (
    barred,
    bells,
    claim,
    claim_chunk,
    counts_of,
    expire_leases,
    job_of,
    serving,
    unfinished,
    waiting_backends,
)
from worker import reconcile as reconciler
from worker.apply import apply_chunk
from worker.reconcile import LOCK, reconcile, reconcile_forever
from worker.split import split_job

GONE = "UPDATE jobs SET lease_until = now() - interval '1 s'"


async def state_of_the_chunk(ctx: Context) -> tuple[str, int]:
    ((state, deaths),) = await ctx.pool.fetch("SELECT state, deaths FROM chunks")
    return state, deaths


async def test_an_expired_lease_is_freed_and_its_chunk_applied(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(5)])
    await claim(crew[0])
    await reconcile(ctx)
    assert await state_of_the_chunk(ctx) == ("running", 0)
    await expire_leases(ctx)
    await reconcile(ctx)
    assert await state_of_the_chunk(ctx) == ("ready", 1)
    assert await bells(ctx) == {"work": 1}
    async with serving(crew[1]):
        await until(lambda: _ended(ctx))
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 5}


async def test_lost_bells_are_rung_again(ctx: Context, crew: list[Context]) -> None:
    for _ in range(3):
        account = await make_account(ctx)
        await make_job(ctx, account.id, [contact(n) for n in range(5)])
    await ctx.queue.redis.flushall()
    await reconcile(ctx)
    assert await bells(ctx) == {"work": 3}
    async with serving(crew[0]):
        await until(lambda: _ended(ctx))


async def test_no_bell_is_rung_without_work(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=1, window_seconds=3600)
    await make_job(ctx, account.id, [contact(1), contact(2)])
    await claim(ctx)
    assert await claim_chunk(ctx) is None
    await ctx.queue.redis.flushall()
    await reconcile(ctx)
    assert await bells(ctx) == {}


async def test_a_job_without_a_splitter_is_split(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    items = [contact(n) for n in range(2_300)]
    job_id = await make_job(ctx, account.id, items, split=False)
    await reconcile(ctx)
    assert await bells(ctx) == {"split": 1}
    async with serving(crew[0]):
        await until(lambda: _ended(ctx))
    job = await job_of(ctx, account.id, job_id)
    assert (job.total, counts_of(job)) == (2_300, {"created": 2_300})
    assert await ctx.pool.fetchval("SELECT count(*) FROM chunks") == 3


async def test_many_splitters_split_each_part_once(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(2_300)], split=False)
    await asyncio.gather(*(split_job(worker, account.id, job_id) for worker in crew))
    assert await ctx.pool.fetchval("SELECT sum(items) FROM chunks") == 2_300


async def applied_but_not_ended(ctx: Context, worker: Context) -> tuple[AccountId, JobId]:
    """Make a job whose only chunk is applied, and whose worker died before it ended the job."""
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(5)])
    held = await claim(worker)
    async with barred(ctx, "SELECT FROM jobs FOR UPDATE"):
        applying = asyncio.create_task(apply_chunk(worker, held))
        await until(lambda: waiting_backends(ctx))
        applying.cancel()
        await asyncio.wait([applying])
    return account.id, job_id


async def test_a_job_whose_worker_died_before_finish_is_ended(ctx: Context, crew: list[Context]) -> None:
    account_id, job_id = await applied_but_not_ended(ctx, crew[0])
    assert (await job_of(ctx, account_id, job_id)).state == "running"
    await reconcile(ctx)
    assert await bells(ctx) == {"finish": 1}
    async with serving(crew[1]):
        await until(lambda: _ended(ctx))
    assert counts_of(await job_of(ctx, account_id, job_id)) == {"created": 5}


async def test_a_job_that_a_worker_finishes_is_left_alone_until_the_lease_expires(
    ctx: Context, crew: list[Context]
) -> None:
    account_id, job_id = await applied_but_not_ended(ctx, crew[0])
    assert await finish.claim(crew[0].pool, account_id, job_id) is not None
    assert await finish.claim(crew[1].pool, account_id, job_id) is None
    await reconcile(ctx)
    assert await bells(ctx) == {}
    await ctx.pool.execute(GONE)
    await reconcile(ctx)
    assert await bells(ctx) == {"finish": 1}


async def test_the_work_of_a_dead_worker_resumes_within_ten_seconds() -> None:
    assert LEASE_SECONDS + PATIENCE_SECONDS + 2 * reconciler.EVERY_SECONDS < 8  # leaves 2 s to apply it


async def make_upload(ctx: Context) -> uploads.NewJob:
    """Make a job whose body is still arriving."""
    account = await make_account(ctx)
    job = uploads.NewJob(
        account_id=account.id,
        id=new_job_id(),
        operation=Operation.CONTACTS_UPSERT,
        stream="contacts",
        format=Format.NDJSON,
        params=JobParams(),
        parallel=4,
        request_id="req_test",
    )
    await uploads.open_job(ctx.pool, job)
    await uploads.add_part(ctx.pool, account.id, job.id, 0, b'{"phone": "+14152000001"}\n')
    return job


async def test_an_abandoned_upload_fails_and_its_parts_are_deleted(ctx: Context) -> None:
    upload = await make_upload(ctx)
    await reconcile(ctx)
    assert (await job_of(ctx, upload.account_id, upload.id)).state == "receiving"
    await ctx.pool.execute(GONE)
    await reconcile(ctx)
    job = await job_of(ctx, upload.account_id, upload.id)
    assert (job.state, job.error_code, counts_of(job)) == ("failed", "upload_incomplete", {})
    assert await ctx.pool.fetchval("SELECT count(*) FROM parts") == 0
    received = uploads.Received(layout=None, parallel=4, parts=0, size=0, total=None)
    async with ctx.pool.acquire() as conn, conn.transaction():
        assert not await uploads.accept(conn, upload, received)
    assert await claim_chunk(ctx) is None


async def test_only_one_reconciler_runs_at_a_time(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(1)])
    async with barred(ctx, f"SELECT pg_advisory_xact_lock({LOCK})"):
        await reconcile(crew[0])
        assert await bells(ctx) == {}
    await reconcile(crew[0])
    assert await bells(ctx) == {"work": 1}


async def test_the_reconciler_survives_errors(
    ctx: Context, crew: list[Context], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reconciler, "EVERY_SECONDS", 0.01)
    caplog.set_level(logging.WARNING, "storage.background")
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(1)])
    await ctx.pool.execute("ALTER TABLE account_turns RENAME TO away")
    beside = asyncio.create_task(reconcile_forever(crew[0]))

    async def errors(kind: str) -> bool:
        return any(kind in record.getMessage() for record in caplog.records)

    await until(lambda: errors("UndefinedTableError"))
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    await ctx.pool.execute(others + " AND pid <> pg_backend_pid() AND backend_type = 'client backend'")
    await ctx.pool.execute("ALTER TABLE away RENAME TO account_turns")
    await ctx.queue.redis.flushall()
    await until(lambda: bells(ctx))
    assert not beside.done()
    beside.cancel()
    await asyncio.wait([beside])


async def test_a_flush_of_redis_during_work_loses_nothing(
    ctx: Context, crew: list[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "EVERY_SECONDS", 0.05)
    accounts = [await make_account(ctx) for _ in range(3)]
    made = []
    beside = [asyncio.create_task(reconcile_forever(worker)) for worker in crew[:2]]
    async with serving(*crew[:2]):
        for k in range(5):
            for account in accounts:
                items = [contact(n, name=f"job {k}") for n in range(12)]
                made.append(
                    (account.id, await make_job(ctx, account.id, items, chunk_items=3, split=k % 2 == 0))
                )
            await ctx.queue.redis.flushall()
        await until(lambda: _ended(ctx), seconds=20)
    for task in beside:
        task.cancel()
    await asyncio.wait(beside)
    for account_id, job_id in made:
        assert sum(counts_of(await job_of(ctx, account_id, job_id)).values()) == 12
    assert {name for (name,) in await ctx.pool.fetch("SELECT name FROM contacts")} == {"job 4"}


async def _ended(ctx: Context) -> bool:
    return await unfinished(ctx) == 0
