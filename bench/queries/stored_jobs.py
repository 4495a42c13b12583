"""Store many ended jobs quickly, by statements inside PostgreSQL, as if they had ended in the last 29 days.

Pruning would delete older ones.
"""

from bench.lab.service import Service
from storage.postgres.pool import Conn

ITEMS = 100  # of each job
ERRORS_EVERY = 20  # one in so many jobs has failed items
MORE_ACCOUNTS = 4  # share a tenth of the jobs
SECONDS = 1_800.0
# three tenths of the jobs have the same name, and a tenth have names of their own; half have tags
JOBS = """
INSERT INTO jobs (account_id, id, operation, stream, stream_position, state, format, parallel, parts,
    split_parts, split_items, bytes, total, created, failed, cancelled, request_id, received_at, accepted_at,
    started_at, finished_at, name, tags)
SELECT CASE WHEN n % 10 < 9 THEN ($2::bigint[])[1] ELSE ($2::bigint[])[2 + n / 10 % 4] END,
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || substr(md5(n::text), 1, 20))::uuid,
    CASE WHEN n % 100 < 70 THEN 'contacts.upsert' ELSE ($3::text[])[1 + n % cardinality($3::text[])] END,
    'contacts', n, state, 'ndjson', 4, 1, 1, $4, 40 * $4, $4,
    CASE state WHEN 'completed' THEN $4 WHEN 'completed_with_errors' THEN $4 - 10 ELSE 0 END,
    CASE state WHEN 'completed_with_errors' THEN 10 ELSE 0 END,
    CASE WHEN state IN ('failed', 'cancelled') THEN $4 ELSE 0 END,
    'req_bench', at, at, at, at + interval '1 s',
    CASE WHEN n % 10 < 3 THEN 'nightly sync' WHEN n % 10 = 3 THEN 'import ' || n END,
    CASE WHEN n % 1000 = 7 THEN ARRAY['rare'] WHEN n % 5 < 2 THEN ARRAY['crm']
         WHEN n % 20 = 3 THEN ARRAY['crm', 'weekly'] ELSE '{}' END
FROM (
    SELECT n, now() - interval '29 days' * (1 - n::float / $1) AS at,
        CASE WHEN n % $5 = 1 THEN 'completed_with_errors' WHEN n % 100 = 98 THEN 'failed'
             WHEN n % 100 = 99 THEN 'cancelled' ELSE 'completed' END AS state
    FROM generate_series(1, $1::bigint) n
) made
"""
REST = """
INSERT INTO chunks (account_id, job_id, first_index, items, part, byte_start, byte_end, state, created,
    failed, applied)
SELECT account_id, id, 0, total, 0, 0, 40 * total,
    CASE WHEN cancelled > 0 THEN 'cancelled' ELSE 'done' END, created, failed, 1
FROM jobs;
INSERT INTO outcomes (account_id, job_id, first_index, outcomes, contact_ids)
SELECT account_id, id, 0,
    array_fill((CASE WHEN cancelled > 0 THEN 7 ELSE 1 END)::smallint, ARRAY[total - failed])
        || array_fill(6::smallint, ARRAY[failed]),
    (SELECT array_agg(i::bigint) FROM generate_series(1, 100) i)
FROM jobs;
INSERT INTO item_errors (account_id, job_id, item_index, field, code, message, value, item)
SELECT account_id, id, total - i, 'phone', CASE WHEN i < 4 THEN 'phone_too_short' ELSE 'phone_invalid' END,
    'the number is too short', '"12"', '{"phone": "12", "name": "Priya Sharma"}'
FROM jobs CROSS JOIN generate_series(1, 10) i WHERE failed > 0;
"""
# what the triggers would write for each job, by one statement for all
COUNTED = """
INSERT INTO job_history (account_id, tag, name, operation, state, received_at, job_id)
SELECT account_id, f.tag, f.name, operation, f.state, received_at, id
FROM jobs, job_facets(tags, jobs.name, jobs.state, failed > 0) f;
INSERT INTO job_counts (account_id, tag, name, hour, operation, state, jobs)
SELECT account_id, tag, name, date_bin('1 hour', received_at, 'epoch'), operation, state, count(*)
FROM job_history GROUP BY 1, 2, 3, 4, 5, 6;
"""
TRIGGER = "ALTER TABLE jobs {} TRIGGER job_added"


async def fill_jobs(service: Service, accounts: list[int], operations: list[str], jobs: int) -> None:
    """Store `jobs` ended jobs of ITEMS items: nine tenths of the first account, the others of the rest."""
    conn = await service.connect()
    await conn.execute(TRIGGER.format("DISABLE"))
    await _run(conn, JOBS, jobs, accounts, operations, ITEMS, ERRORS_EVERY)
    await _run(conn, TRIGGER.format("ENABLE"))
    for part in (REST + COUNTED).split(";\n"):
        await _run(conn, part)
    await _run(conn, "VACUUM ANALYZE")
    await conn.close()
    await service.rest()


async def _run(conn: Conn, query: str, *arguments: object) -> None:
    if query.strip():
        await conn.execute(query, *arguments, timeout=SECONDS)
