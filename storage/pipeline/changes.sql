-- name: read(account_id, at, open, part_ats, part_ids, size)
-- The jobs that have changed since a cursor, as a client sees them, in the order of the cursor, with `at` of each; and
-- `snapshot`, which every row has. The one row without an id says that nothing has changed. A job changes by the transaction
-- that its row names, and while it runs by the transactions that recorded the results of its chunks.
-- At most `size` jobs are returned. So many rows are read of what lies behind the position of the cursor and of each
-- transaction before it that the cursor does not cover, because one transaction may have changed very many jobs; and the
-- running jobs with their chunks.
WITH running AS (
    SELECT j.id, c.changed AS at
    FROM (SELECT account_id, id, changed FROM jobs WHERE account_id + 0 = :account_id AND state = 'running'
          ORDER BY account_id + 0 OFFSET 0) j
    CROSS JOIN LATERAL (
        SELECT changed FROM chunks
        WHERE account_id = j.account_id AND job_id = j.id AND (state = 'done') IS TRUE AND changed IS NOT NULL
        UNION ALL
        SELECT j.changed
    ) c
), begun AS (
    SELECT at, id AS after FROM unnest(:part_ats::text[]::xid8[], :part_ids::uuid[]) p (at, id)
    UNION ALL
    SELECT at, NULL FROM unnest(:open::text[]::xid8[]) o (at)
), new AS (
    SELECT id, (array_agg(at ORDER BY at DESC))[1] AS at
    FROM running
    WHERE at > :at::text::xid8
       OR EXISTS (SELECT FROM begun b WHERE b.at = running.at AND (b.after IS NULL OR running.id > b.after))
    GROUP BY id
    UNION ALL
    SELECT j.id, b.at
    FROM begun b
    CROSS JOIN LATERAL (
        SELECT id FROM jobs
        WHERE account_id + 0 = :account_id AND changed BETWEEN b.at AND b.at AND (state <> 'running') IS TRUE
          AND (b.after IS NULL OR id > b.after)
        ORDER BY account_id + 0, changed, id LIMIT :size
    ) j
    WHERE b.at <= :at::text::xid8
    UNION ALL (
        SELECT id, changed FROM jobs
        WHERE account_id + 0 = :account_id AND changed > :at::text::xid8 AND (state <> 'running') IS TRUE
        ORDER BY account_id + 0, changed, id LIMIT :size
    )
), placed AS (
    SELECT id, at, row_number() OVER (ORDER BY at, id) AS place FROM new
), page AS MATERIALIZED (
    SELECT * FROM placed WHERE place <= :size
)
SELECT s.snapshot::text AS snapshot, p.at::text::bigint AS at, v.*
FROM (SELECT pg_current_snapshot() AS snapshot) s
LEFT JOIN (page p CROSS JOIN LATERAL (
    SELECT * FROM job_views WHERE account_id = :account_id AND id = p.id OFFSET 0
) v) ON true
ORDER BY p.place;

-- name: changed_accounts(account_ids, firsts)
-- Of these accounts, those of which a job has changed by a transaction from the account's `first` on, or runs.
SELECT a.account_id
FROM unnest(:account_ids::bigint[], :firsts::text[]::xid8[]) a (account_id, first)
WHERE EXISTS (
        SELECT FROM jobs WHERE account_id + 0 = a.account_id AND changed >= a.first
        ORDER BY account_id + 0, changed, id LIMIT 1)
   OR EXISTS (
        SELECT FROM jobs WHERE account_id + 0 = a.account_id AND state = 'running' ORDER BY account_id + 0 LIMIT 1);

-- name: of_job(account_id, id, first)^
-- A job as a client sees it, with the transactions of its changes from `first` on: see `read`. A number that this server has
-- not given yet is that of another one, from which the database was restored.
SELECT v.*, pg_current_snapshot()::text AS snapshot, ARRAY(
    SELECT c.changed::text::bigint
    FROM (SELECT j.changed
          UNION ALL
          SELECT changed FROM chunks
          WHERE account_id = j.account_id AND job_id = j.id AND j.state = 'running' AND (state = 'done') IS TRUE) c
    WHERE c.changed >= :first::text::xid8 AND c.changed < pg_snapshot_xmax(pg_current_snapshot())) AS ats
FROM jobs j
JOIN job_views v ON v.account_id = j.account_id AND v.id = j.id
WHERE j.account_id = :account_id AND j.id = :id;

-- name: now()$
-- What is committed at this moment.
SELECT pg_current_snapshot()::text;
