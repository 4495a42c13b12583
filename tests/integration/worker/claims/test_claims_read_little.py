"""A claim, and a look of the reconciler, read what they return, not what is stored."""

from collections.abc import AsyncIterator

import pytest

from schemas.settings import Settings
from storage.context import Context
from storage.pipeline import chunks, finish, results, turns
from storage.pipeline.chunks import Claim, Members
from storage.pipeline.leases import new_tokens
from storage.pipeline.results import Done, ItemResults
from tests.factories import contact, make_account, make_job
from tests.page_counts import counting
from tests.workers import bells, claim, open_worker
from worker import together
from worker.claim import claim_chunks
from worker.context import SETTINGS
from worker.reconcile import ring_in_turn
from worker.together import apply_together

FILL = """
WITH made AS (
    INSERT INTO accounts (name, item_limit)
    SELECT gen_random_uuid(), $1 FROM generate_series(1, $2::int) RETURNING id
), turn AS (
    INSERT INTO account_turns (account_id, active, ready_at)
    SELECT id, true, now() + make_interval(secs => $4) FROM made
), stream AS (
    INSERT INTO streams (account_id, stream, last_position, pending)
    SELECT id, to_char(s, '00000'), 1, 1 FROM made, generate_series(1, $3::int) s
), job AS (
    INSERT INTO jobs (account_id, id, operation, stream, stream_position, state, format, parallel, total,
                      parts, split_parts, request_id, accepted_at)
    SELECT id, gen_random_uuid(), 'contacts.upsert', to_char(s, '00000'), 1, 'queued', 'ndjson', 4, 1,
           1, 1, 'r', now()
    FROM made, generate_series(1, $3::int) s RETURNING account_id, id
), part AS (
    INSERT INTO parts (account_id, job_id, part, body)
    SELECT account_id, id, 0, '{"phone": "+14152000001"}' FROM job
)
INSERT INTO chunks (account_id, job_id, first_index, items, part, byte_start, byte_end)
SELECT account_id, id, 0, 1, 0, 0, 25 FROM job
"""
DONE = """
INSERT INTO chunks (account_id, job_id, first_index, items, part, byte_start, byte_end, state)
SELECT account_id, job_id, n, 1, 0, 0, 0, CASE n WHEN 501 THEN 'ready' ELSE 'done' END
FROM chunks, generate_series(1, 501) n
"""
ROWS = """
SELECT relname, seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables
WHERE relname IN ('account_turns', 'accounts', 'streams', 'jobs', 'chunks', 'grants', 'parts')
"""


@pytest.fixture
async def worker(settings: Settings) -> AsyncIterator[Context]:
    """A worker with one connection and the settings of a worker's sessions."""
    async with open_worker(settings, size=1) as worker:
        for name, value in SETTINGS.items():
            await worker.pool.execute("SELECT set_config($1, $2, false)", name, value)
        yield worker


@pytest.fixture(params=["no statistics", "old statistics", "fresh statistics"])
async def planned(worker: Context, request: pytest.FixtureRequest) -> str:
    """Give the planner statistics of nearly empty tables, or none, or leave fresh ones to `read_by_claim`."""
    if request.param == "old statistics":
        await fill(worker, accounts=1)
        await worker.pool.execute("ANALYZE")
    return str(request.param)


async def fill(
    worker: Context, *, accounts: int, streams: int = 1, item_limit: int = 0, wait_seconds: float = 0
) -> None:
    """Make accounts with a job of one item in each of several streams; their windows throttle them."""
    await worker.pool.execute(FILL, item_limit, accounts, streams, wait_seconds)


async def rows_read(worker: Context) -> dict[str, int]:
    await worker.pool.execute("SELECT pg_stat_force_next_flush()")
    return {row[0]: row[1] for row in await worker.pool.fetch(ROWS)}


async def read_by_claim(worker: Context, planned: str, *, tokens: int = 1) -> dict[str, int]:
    """Claim, and return how many rows of each table that has read, after a first claim that plans."""
    if planned == "fresh statistics":
        await worker.pool.execute("ANALYZE")
    await claim(worker)
    before = await rows_read(worker)
    small = ["contacts.upsert"]
    assert await chunks.claim_unlimited(worker.pool, worker.worker_id, new_tokens(tokens), together=small)
    after = await rows_read(worker)
    return {table: after[table] - before[table] for table in after}


async def test_a_claim_reads_no_throttled_account(worker: Context, planned: str) -> None:
    await fill(worker, accounts=500, wait_seconds=3600)
    await fill(worker, accounts=10)
    await worker.pool.execute("UPDATE account_turns SET virtual_time = 100 WHERE ready_at <= throttled_at")
    read = await read_by_claim(worker, planned)
    assert max(read.values()) < 20, read


async def test_accounts_whose_windows_have_room_are_claimed(worker: Context) -> None:
    await fill(worker, accounts=3, wait_seconds=3600)
    assert await claim_chunks(worker) == []
    await worker.pool.execute("UPDATE account_turns SET ready_at = now(), throttled_at = '2020-01-01'")
    assert len(await claim_chunks(worker)) == 3
    assert await worker.pool.fetchval("SELECT count(*) FROM account_turns WHERE ready_at > throttled_at") == 0


async def test_a_claim_of_many_streams_reads_each_once(worker: Context, planned: str) -> None:
    await fill(worker, accounts=1, streams=500)
    read = await read_by_claim(worker, planned, tokens=64)
    assert read["streams"] < 4 * 64, read
    assert max(read.values()) < 10 * 64, read


async def test_a_claim_of_many_accounts_reads_each_once(worker: Context, planned: str) -> None:
    await fill(worker, accounts=500)
    read = await read_by_claim(worker, planned, tokens=64)
    assert max(read.values()) < 10 * 64, read


async def test_a_claim_reads_few_of_the_chunks_of_its_job(worker: Context) -> None:
    account = await make_account(worker)
    await make_job(worker, account.id, [contact(n) for n in range(300)], chunk_items=1, parallel=64)
    await claim(worker)
    before = await rows_read(worker)
    await claim(worker)
    after = await rows_read(worker)
    assert after["chunks"] - before["chunks"] < 30


async def test_recording_results_reads_no_other_chunk(worker: Context) -> None:
    """Also if the statements were planned while the tables were nearly empty."""
    await fill(worker, accounts=1)
    await worker.pool.execute("ANALYZE")
    await _fence_and_record(worker, await claim_chunks(worker))
    await fill(worker, accounts=500)
    claims = await claim_chunks(worker)
    before = await rows_read(worker)
    await _fence_and_record(worker, claims)
    after = await rows_read(worker)
    read = {table: after[table] - before[table] for table in after}
    assert max(read.values()) < 4 * len(claims), read


async def _fence_and_record(worker: Context, claims: list[Claim]) -> None:
    async with worker.pool.acquire() as conn, conn.transaction():
        assert await chunks.fence_all(conn, claims, keep_images=True)
        done = [Done(one, ItemResults(), [], Members()) for one in claims]
        assert len(await results.record_all(conn, done)) == len(claims)


async def test_a_claim_that_finds_no_due_turn_does_not_look_for_chunks(worker: Context) -> None:
    await worker.pool.execute("SET pg_stat_statements.track = 'all'")
    await fill(worker, accounts=2)
    assert worker.settings.database_url is not None
    async with counting(worker.settings.database_url) as counter:
        async with counter.step("work"):
            assert len(await claim_chunks(worker)) == 2
        await worker.pool.execute("UPDATE account_turns SET active = false")
        async with counter.step("no work"):
            assert await claim_chunks(worker) == []
    looks = [step for step, text in counter.read if text.startswith("SELECT t.account_id, COALESCE(")]
    assert looks == ["work"]


async def test_many_jobs_with_item_limits_are_claimed_by_few_statements(worker: Context) -> None:
    await fill(worker, accounts=64, item_limit=1000)
    assert len(await claim_chunks(worker)) == 64


async def test_a_look_for_due_work_is_bounded(worker: Context) -> None:
    await fill(worker, accounts=500)
    await turns.due(worker.pool, 8)
    before = await rows_read(worker)
    assert await turns.due(worker.pool, 8) == 8
    after = await rows_read(worker)
    assert max(after[table] - before[table] for table in after) < 8 * 8


@pytest.mark.parametrize("progress", ["queued", "throttled", "running"])
async def test_a_look_for_jobs_to_finish_is_bounded(worker: Context, progress: str) -> None:
    """A running job is read, but not its chunks that are done."""
    await fill(worker, accounts=1 if progress == "running" else 500)
    if progress == "throttled":
        await worker.pool.execute("UPDATE jobs SET state = 'running', throttled_until = now()")
    if progress == "running":
        await worker.pool.execute("UPDATE jobs SET state = 'running'")
        await worker.pool.execute(DONE)
    await finish.unended(worker.pool)
    before = await rows_read(worker)
    assert await finish.unended(worker.pool) == []
    after = await rows_read(worker)
    assert max(after[table] - before[table] for table in after) < 20


async def test_one_worker_looks_for_work_in_a_round(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(1)])
    assert await ring_in_turn(crew[0])
    assert await bells(ctx) == {"work": 1}
    assert not await ring_in_turn(crew[1])


async def test_what_is_due_is_counted_to_the_limit(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(n) for n in range(9)], chunk_items=1, parallel=4)
    assert [await turns.due(ctx.pool, most) for most in (3, 8)] == [3, 4]
    await claim(ctx)
    assert await turns.due(ctx.pool, 8) == 3


async def test_jobs_applied_together_that_did_not_end_are_found(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a job that follows another one, if the worker dies after the commit."""

    async def die(*_: object) -> None:
        pass

    monkeypatch.setattr(together, "finish_if_last", die)
    async with open_worker(settings.model_copy(update={"max_job_errors": 0})) as worker:
        account = await make_account(worker)
        jobs = [(account.id, await make_job(worker, account.id, [7])) for _ in range(2)]
        assert await apply_together(worker, await claim_chunks(worker))
        assert sorted(await finish.unended(worker.pool)) == sorted(jobs)
