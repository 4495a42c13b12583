"""What runs for every chunk, and every two seconds, reads an index, however much there is in the tables."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from schemas.settings import Settings
from storage.context import Context
from tests.factories import contact, make_account, make_job
from tests.workers import claim, open_worker, unfinished
from worker.apply import apply_chunk
from worker.claim import claim_chunk
from worker.reconcile import reconcile

# 40 accounts with 200 ended jobs of 4 chunks each; 20 of them have 5 jobs that wait, too, but not now.
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
INSERT INTO grants SELECT id, now() - n * interval '1 s', 1 FROM accounts, generate_series(1, 500) n;
INSERT INTO contacts (account_id, phone)
    SELECT id, '+1212' || (2000000 + n) FROM accounts, generate_series(1, 500) n;
ANALYZE;
"""
# A row or two an account, or the rows of one chunk: these may be read whole.
SMALL = {"accounts", "account_turns", "streams", "stage_contacts"}
SCANS = "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE seq_scan > 0"


@pytest.fixture
async def one(settings: Settings) -> AsyncIterator[Context]:
    """A worker with a single connection, which alone knows what it has read until it says so."""
    async with open_worker(settings, size=1) as worker:
        yield worker


@asynccontextmanager
async def reading_indexes(one: Context) -> AsyncIterator[None]:
    """No large table is read from beginning to end."""
    before = await _scans(one)
    yield
    after = await _scans(one)
    assert {table for table in after if after[table] > before.get(table, 0)} <= SMALL


async def _scans(one: Context) -> dict[str, int]:
    await one.pool.execute("SELECT pg_stat_force_next_flush()")
    return {row["relname"]: row["seq_scan"] for row in await one.pool.fetch(SCANS)}


@pytest.mark.parametrize("item_limit", [0, 1000])
async def test_the_path_of_a_chunk_reads_indexes(one: Context, item_limit: int) -> None:
    await one.pool.execute(HISTORY)
    account = await make_account(one, item_limit=item_limit)
    items = [contact(n % 5, name=f"Name {n}", external_id=f"e{n % 5}" if n < 3 else None) for n in range(9)]
    await make_job(one, account.id, items, chunk_items=3)
    async with reading_indexes(one):
        claims = [await claim(one) for _ in range(3)]
        assert await claim_chunk(one) is None
        for held in claims:
            await apply_chunk(one, held)
    assert await unfinished(one) == 100  # those of the past: the job has ended, its settle included


async def test_a_round_of_the_reconciler_reads_indexes(one: Context) -> None:
    await one.pool.execute(HISTORY)
    account = await make_account(one)
    await make_job(one, account.id, [contact(1)])
    async with reading_indexes(one):
        await reconcile(one)


async def test_a_scan_would_be_noticed(one: Context) -> None:
    await one.pool.execute(HISTORY)
    with pytest.raises(AssertionError):
        async with reading_indexes(one):
            await one.pool.fetchval("SELECT count(*) FROM jobs WHERE request_id <> ''")
