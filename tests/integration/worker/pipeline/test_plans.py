"""Queries that run for every chunk or every two seconds use indexes, whatever the size of the tables."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from schemas.operations import JobParams, Operation
from schemas.settings import Settings
from storage.context import Context
from storage.pipeline import cancellation, chunks, dry_runs, failures
from tests.factories import (
    contact,
    make_account,
    make_audience,
    make_channel,
    make_job,
    make_label,
    make_list,
    make_property,
)
from tests.workers import claim, claim_chunk, counts_of, job_of, open_worker, unfinished
from worker.apply import apply_chunk
from worker.finish import finish_if_last
from worker.reconcile import reconcile

# 40 accounts with 200 ended jobs of 4 chunks each; 20 of them also have 5 jobs that wait for a later time.
HISTORY = """
INSERT INTO accounts (name) SELECT 'old ' || n FROM generate_series(1, 40) n;
INSERT INTO account_turns (account_id, active, ready_at)
    SELECT id, id % 2 = 0, now() + interval '1 hour' FROM accounts WHERE name LIKE 'old %';
INSERT INTO streams (account_id, stream, last_position, pending)
    SELECT id, 'contacts', 205, CASE WHEN id % 2 = 0 THEN 5 ELSE 0 END FROM accounts WHERE name LIKE 'old %';
INSERT INTO jobs (account_id, id, operation, stream, stream_position, state, format, parallel, total,
                  request_id, accepted_at, finished_at)
    SELECT a.id, gen_random_uuid(), 'contacts.upsert', 'contacts', n,
           CASE WHEN n > 200 THEN 'queued' ELSE 'completed' END, 'ndjson', 4, 40, 'req',
           now(), CASE WHEN n > 200 THEN NULL ELSE now() END
    FROM accounts a, generate_series(1, 205) n WHERE a.name LIKE 'old %' AND (a.id % 2 = 0 OR n <= 200);
INSERT INTO chunks (account_id, job_id, first_index, items, part, byte_start, byte_end, state)
    SELECT j.account_id, j.id, n * 10, 10, 0, 0, 0, CASE j.state WHEN 'queued' THEN 'ready' ELSE 'done' END
    FROM jobs j, generate_series(0, 3) n WHERE j.request_id = 'req';
INSERT INTO outcomes (account_id, job_id, first_index, outcomes, contact_ids)
    SELECT account_id, job_id, first_index, '{}', '{}' FROM chunks WHERE state = 'done';
INSERT INTO parts SELECT account_id, id, 0, '' FROM jobs WHERE request_id = 'req';
INSERT INTO outcome_changes SELECT account_id, job_id, first_index, 1, 1 FROM chunks WHERE state = 'done';
INSERT INTO grants
    SELECT id, t, 1, t, t FROM accounts, generate_series(now() - interval '500 s', now(), '1 s') t;
INSERT INTO admissions SELECT account_id, at, at, at, at FROM grants;
INSERT INTO contacts (account_id, phone)
    SELECT id, '+1212' || (2000000 + n) FROM accounts, generate_series(1, 500) n;
INSERT INTO contact_changes SELECT id, n, n, '{}' FROM accounts, generate_series(1, 500) n;
ANALYZE;
"""
# Tables with one or two rows for each account, or with the rows of one chunk: sequential scans are allowed.
SMALL = {"accounts", "account_turns", "streams", "stage_contacts"}
SCANS = "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE seq_scan > 0"


@pytest.fixture
async def worker(settings: Settings) -> AsyncIterator[Context]:
    """A worker with one connection: statistics of a connection are invisible until it flushes them."""
    async with open_worker(settings, size=1) as worker:
        yield worker


@asynccontextmanager
async def reading_indexes(worker: Context) -> AsyncIterator[None]:
    """Assert that the body scans no large table sequentially."""
    before = await _scans(worker)
    yield
    after = await _scans(worker)
    assert {table for table in after if after[table] > before.get(table, 0)} <= SMALL


async def _scans(worker: Context) -> dict[str, int]:
    await worker.pool.execute("SELECT pg_stat_force_next_flush()")
    return {row["relname"]: row["seq_scan"] for row in await worker.pool.fetch(SCANS)}


@pytest.mark.parametrize("item_limit", [0, 1000])
async def test_the_path_of_a_chunk_reads_indexes(worker: Context, item_limit: int) -> None:
    await worker.pool.execute(HISTORY)
    account = await make_account(worker, item_limit=item_limit)
    items = [contact(n % 5, name=f"Name {n}", external_id=f"e{n % 5}" if n < 3 else None) for n in range(9)]
    await make_job(worker, account.id, items, chunk_items=3)
    async with reading_indexes(worker):
        claims = [await claim(worker) for _ in range(3)]
        assert await claim_chunk(worker) is None
        for held in claims:
            await apply_chunk(worker, held)
    assert await unfinished(worker) == 100  # the jobs of HISTORY only: the job is settled and has ended


async def test_a_claim_reads_few_of_the_chunks_of_its_job(worker: Context) -> None:
    account = await make_account(worker)
    await make_job(worker, account.id, [contact(n) for n in range(300)], chunk_items=1, parallel=64)
    await claim(worker)
    before = await _read(worker, "chunks")
    await claim(worker)
    assert await _read(worker, "chunks") - before < 30


async def test_a_round_of_the_reconciler_reads_indexes(worker: Context) -> None:
    await worker.pool.execute(HISTORY)
    account = await make_account(worker)
    await make_job(worker, account.id, [contact(1)])
    held = await claim(worker)
    async with reading_indexes(worker):
        await reconcile(worker)
        assert await chunks.renew(worker.pool, worker.worker_id, [held.token]) == []
        assert await failures.delayed(worker.pool) == 0


# Many contacts of one account with memberships and opt-ins unrelated to the job. Autovacuum is off: the
# planner has no statistics about them.
NO_STATISTICS = """
ALTER TABLE contacts SET (autovacuum_enabled = false);
ALTER TABLE memberships SET (autovacuum_enabled = false);
ALTER TABLE opt_ins SET (autovacuum_enabled = false);
"""
CROWD = """
INSERT INTO contacts (account_id, phone, external_id)
    SELECT a.id, '+1212' || (2000000 + n), 'e' || n FROM accounts a, generate_series(1, 20000) n;
INSERT INTO memberships (account_id, kind, owner_id, contact_id)
    SELECT account_id, kind, 99, id FROM contacts, unnest('{list,label,audience}'::text[]) kind;
INSERT INTO opt_ins (account_id, contact_id, channel_id, opted_in, by_contact)
    SELECT account_id, id, channel_id, true, false
    FROM contacts, (SELECT id FROM channels UNION ALL SELECT gen_random_uuid()) h (channel_id)
    WHERE phone > '+12122002000' ON CONFLICT DO NOTHING;
"""
READ = "SELECT sum(seq_tup_read + idx_tup_fetch)::int FROM pg_stat_user_tables WHERE relname = ANY ($1)"
CROWDED = ("contacts", "memberships", "opt_ins")
ITEMS = 200
ROWS_AN_ITEM = 30  # maximum reads for one item, in all three tables


@pytest.mark.parametrize("planned", ["now", "on empty tables"])
@pytest.mark.parametrize("operation", Operation)
async def test_an_operation_reads_only_the_contacts_of_its_items(
    worker: Context, operation: Operation, planned: str
) -> None:
    """Also if they were planned while the tables were empty: a connection plans each statement once."""
    account = await make_account(worker)
    channel = await make_channel(worker, account.id)
    await make_property(worker, account.id, "vip", "boolean")
    params = JobParams(
        list_id=await make_list(worker, account.id),
        label_id=await make_label(worker, account.id),
        audience_id=await make_audience(worker, account.id),
        channels=(channel,),
        preference="mute_all",
    )
    await worker.pool.execute(NO_STATISTICS)
    more = {"properties": {"vip": True}, "default_channel_id": str(channel)}
    of_contacts = operation is Operation.CONTACTS_UPSERT or operation.startswith("lists.")
    items = [{"phone": f"+1212{2_000_001 + n}", **(more if of_contacts else {})} for n in range(ITEMS)]
    if planned == "on empty tables":
        await make_job(worker, account.id, [{"phone": "+12123000000"}], operation=operation, params=params)
        await apply_chunk(worker, await claim(worker))
    await worker.pool.execute(CROWD)
    job_id = await make_job(worker, account.id, items, operation=operation, params=params)
    held = await claim(worker)
    before = await _read(worker, *CROWDED)
    await apply_chunk(worker, held)
    assert sum(counts_of(await job_of(worker, account.id, job_id)).values()) == ITEMS
    assert await _read(worker, *CROWDED) - before <= ITEMS * ROWS_AN_ITEM


async def _read(worker: Context, *tables: str) -> int:
    """Return how many rows of the tables have been read."""
    await worker.pool.execute("SELECT pg_stat_force_next_flush()")
    rows: int = await worker.pool.fetchval(READ, tables)
    return rows


async def test_cancel_reads_indexes(worker: Context) -> None:
    await worker.pool.execute(HISTORY)
    account = await make_account(worker)
    job_id = await make_job(worker, account.id, [contact(n) for n in range(9)], chunk_items=3)
    async with reading_indexes(worker):
        await cancellation.cancel(worker.pool, account.id, job_id)
        await finish_if_last(worker, account.id, job_id)
    assert await unfinished(worker) == 100


async def test_claiming_a_dry_run_reads_indexes(worker: Context) -> None:
    await worker.pool.execute(HISTORY)
    await worker.pool.execute(
        """INSERT INTO item_errors SELECT account_id, job_id, item_index, NULL, NULL, 'conflict', ''
           FROM outcome_changes; ANALYZE item_errors"""
    )
    account = await make_account(worker)
    await make_job(worker, account.id, [contact(n) for n in range(9)], chunk_items=3, dry_run=True)
    async with reading_indexes(worker):
        taken = await dry_runs.claim(worker.pool)
        assert taken is not None
        assert not await dry_runs.in_flight(worker.pool, account.id)
        assert await dry_runs.next_chunk(worker.pool, taken, 2) is not None
        await dry_runs.renew(worker.pool, taken)
        await dry_runs.release(worker.pool, taken, blame=True)


async def test_a_sequential_scan_fails_the_check(worker: Context) -> None:
    await worker.pool.execute(HISTORY)
    with pytest.raises(AssertionError):
        async with reading_indexes(worker):
            await worker.pool.fetchval("SELECT count(*) FROM jobs WHERE request_id <> ''")
