"""The queries that run for every chunk, and every two seconds, read an index however much there is."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from storage import chunks, jobs, turns
from storage.context import Context
from tests.factories import contact, make_account, make_job

# 40 accounts with 200 ended jobs each, of 4 chunks each; 20 of them have 5 jobs that wait, too.
HISTORY = """
INSERT INTO accounts (name) SELECT 'old ' || n FROM generate_series(1, 40) n;
INSERT INTO account_turns (account_id, active) SELECT id, id % 2 = 0 FROM accounts
    ON CONFLICT (account_id) DO NOTHING;
INSERT INTO streams (account_id, stream, last_position, pending)
    SELECT id, 'contacts', 205, CASE WHEN id % 2 = 0 THEN 5 ELSE 0 END FROM accounts WHERE name LIKE 'old %';
INSERT INTO jobs (account_id, id, operation, stream, stream_position, state, format, parallel, total, request_id,
                  accepted_at, finished_at)
    SELECT a.id, gen_random_uuid(), 'contacts.upsert', 'contacts', n,
           CASE WHEN n > 200 THEN 'queued' ELSE 'completed' END, 'ndjson', 4, 40, 'req',
           now(), CASE WHEN n > 200 THEN NULL ELSE now() END
    FROM accounts a, generate_series(1, 205) n WHERE a.name LIKE 'old %' AND (a.id % 2 = 0 OR n <= 200);
INSERT INTO chunks (account_id, job_id, first_index, items, part, byte_start, byte_end, state)
    SELECT j.account_id, j.id, n * 10, 10, 0, 0, 0, CASE j.state WHEN 'queued' THEN 'ready' ELSE 'done' END
    FROM jobs j, generate_series(0, 3) n WHERE j.request_id = 'req';
"""


@pytest.fixture
async def account_id(ctx: Context) -> int:
    """One account of those that have work, in a database with a long past."""
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(n) for n in range(9)], chunk_items=3)
    await ctx.pool.execute(HISTORY)
    await ctx.pool.execute("ANALYZE")
    return account.id


async def read_by(ctx: Context, query: Any, **parameters: Any) -> set[str]:
    """The tables that the plan of a query reads from beginning to end."""
    sql = getattr(query, "sql", None) or query.__closure__[0].cell_contents.sql
    names = [name for name in parameters if f"${list(parameters).index(name) + 1}" in sql]
    plan = await ctx.pool.fetchval("EXPLAIN (FORMAT JSON) " + sql, *(parameters[name] for name in names))
    return {node["Relation Name"] for node in _nodes(json.loads(plan)[0]["Plan"]) if node["Node Type"] == "Seq Scan"}


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", []):
        yield from _nodes(inner)


BIG = {"jobs", "chunks", "parts", "contacts", "grants"}


async def test_claims_read_no_table_from_beginning_to_end(ctx: Context, account_id: int) -> None:
    assert not BIG & await read_by(ctx, turns.QUERIES.next)
    assert not BIG & await read_by(ctx, turns.QUERIES.next_waiting)
    assert not BIG & await read_by(ctx, chunks.QUERIES.next, account_id=account_id)


async def test_the_reconciler_reads_no_table_from_beginning_to_end(ctx: Context, account_id: int) -> None:
    assert account_id
    assert not BIG & await read_by(ctx, turns.QUERIES.due)
    assert not BIG & await read_by(ctx, jobs.QUERIES.unsplit)
    assert not BIG & await read_by(ctx, jobs.QUERIES.unended)
    assert not BIG & await read_by(ctx, jobs.QUERIES.abandoned)
    assert not BIG & await read_by(ctx, chunks.QUERIES.free_expired, lease_seconds=6.0)


async def test_the_end_of_a_job_reads_no_table_from_beginning_to_end(ctx: Context, account_id: int) -> None:
    job_id = await ctx.pool.fetchval("SELECT id FROM jobs WHERE account_id = $1", account_id)
    keys = {"account_id": account_id, "id": job_id}
    assert not BIG & await read_by(ctx, jobs.QUERIES.claim_finish, **keys, lease_seconds=6.0)
    assert not BIG & await read_by(ctx, jobs.QUERIES.lock_finished, **keys)
    assert not BIG & await read_by(ctx, jobs.QUERIES.end, **keys)
