"""What runs for every chunk, and every two seconds, reads an index, however much there is in the tables."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from schemas.operations import JobParams, Operation
from schemas.settings import Settings
from storage.context import Context
from storage.pipeline import cancellation, dry_runs
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
from tests.workers import claim, counts_of, job_of, open_worker, unfinished
from worker.apply import apply_chunk
from worker.claim import claim_chunk
from worker.finish import finish_if_last
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


# Many contacts of one account, each a member of something else and opted in to something else, of which the
# planner has no statistics.
CROWD = """
ALTER TABLE contacts SET (autovacuum_enabled = false);
ALTER TABLE memberships SET (autovacuum_enabled = false);
ALTER TABLE opt_ins SET (autovacuum_enabled = false);
INSERT INTO contacts (account_id, phone, external_id)
    SELECT a.id, '+1212' || (2000000 + n), 'e' || n FROM accounts a, generate_series(1, 20000) n;
INSERT INTO memberships (account_id, kind, owner_id, contact_id)
    SELECT account_id, kind, 99, id FROM contacts, unnest('{list,label,audience}'::text[]) kind;
INSERT INTO opt_ins (account_id, contact_id, channel_id, opted_in, by_contact)
    SELECT account_id, id, gen_random_uuid(), true, false FROM contacts;
"""
READ = """
SELECT sum(seq_tup_read + idx_tup_fetch)::int FROM pg_stat_user_tables
WHERE relname IN ('contacts', 'memberships', 'opt_ins')
"""
ITEMS = 200
ROWS_AN_ITEM = 30  # read at the most, of all three tables


@pytest.mark.parametrize("operation", Operation)
async def test_an_operation_reads_what_its_items_name(one: Context, operation: Operation) -> None:
    account = await make_account(one)
    channel = await make_channel(one, account.id)
    await make_property(one, account.id, "vip", "boolean")
    params = JobParams(
        list_id=await make_list(one, account.id),
        label_id=await make_label(one, account.id),
        audience_id=await make_audience(one, account.id),
        channels=(channel,),
        preference="mute_all",
    )
    await one.pool.execute(CROWD)
    more = {"properties": {"vip": True}, "default_channel_id": str(channel)}
    of_contacts = operation is Operation.CONTACTS_UPSERT or operation.startswith("lists.")
    items = [{"phone": f"+1212{2_000_001 + n}", **(more if of_contacts else {})} for n in range(ITEMS)]
    job_id = await make_job(one, account.id, items, operation=operation, params=params)
    held = await claim(one)
    before = await _read(one)
    await apply_chunk(one, held)
    assert sum(counts_of(await job_of(one, account.id, job_id)).values()) == ITEMS
    assert await _read(one) - before <= ITEMS * ROWS_AN_ITEM


async def _read(one: Context) -> int:
    await one.pool.execute("SELECT pg_stat_force_next_flush()")
    rows: int = await one.pool.fetchval(READ)
    return rows


async def test_to_cancel_reads_indexes(one: Context) -> None:
    await one.pool.execute(HISTORY)
    account = await make_account(one)
    job_id = await make_job(one, account.id, [contact(n) for n in range(9)], chunk_items=3)
    async with reading_indexes(one):
        await cancellation.cancel(one.pool, account.id, job_id)
        await finish_if_last(one, account.id, job_id)
    assert await unfinished(one) == 100


async def test_to_look_for_a_dry_run_and_to_take_it_reads_indexes(one: Context) -> None:
    await one.pool.execute(HISTORY)
    await one.pool.execute(
        """INSERT INTO item_errors SELECT account_id, job_id, item_index, NULL, NULL, 'conflict', ''
           FROM outcome_changes; ANALYZE item_errors"""
    )
    account = await make_account(one)
    await make_job(one, account.id, [contact(n) for n in range(9)], chunk_items=3, dry_run=True)
    async with reading_indexes(one):
        taken = await dry_runs.claim(one.pool)
        assert taken is not None
        assert not await dry_runs.in_flight(one.pool, account.id)
        assert await dry_runs.next_chunk(one.pool, taken, 2) is not None
        await dry_runs.renew(one.pool, taken)
        await dry_runs.release(one.pool, taken, blame=True)


async def test_a_scan_would_be_noticed(one: Context) -> None:
    await one.pool.execute(HISTORY)
    with pytest.raises(AssertionError):
        async with reading_indexes(one):
            await one.pool.fetchval("SELECT count(*) FROM jobs WHERE request_id <> ''")
