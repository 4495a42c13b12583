-- name: page(states, operations, before, size)
-- The newest jobs of all accounts that are in one of these states.
SELECT j.account_id, j.id
FROM unnest(:states::text[]) s (state)
CROSS JOIN unnest(:operations::text[]) o (operation)
CROSS JOIN LATERAL (
    SELECT account_id, id FROM jobs
    WHERE parallel > 0 AND state = s.state AND operation = o.operation
      AND id < COALESCE(:before::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    ORDER BY id DESC LIMIT :size
) j
ORDER BY j.id DESC
LIMIT :size;

-- name: oldest_queued(operations, size)
-- The queued jobs of all accounts that were received first.
SELECT j.account_id, j.id
FROM unnest(:operations::text[]) o (operation)
CROSS JOIN LATERAL (
    SELECT account_id, id FROM jobs
    WHERE parallel > 0 AND state = 'queued' AND operation = o.operation
    ORDER BY id LIMIT :size
) j
ORDER BY j.id
LIMIT :size;

-- name: waiting(operations, look, most)
-- The accounts of the `look` queued jobs that were received first, those first that wait longest.
WITH oldest AS MATERIALIZED (
    SELECT q.* FROM unnest(:operations::text[]) o (operation)
    CROSS JOIN LATERAL (
        SELECT account_id, id, accepted_at FROM jobs
        WHERE parallel > 0 AND state = 'queued' AND operation = o.operation
        ORDER BY id LIMIT :look
    ) q
    ORDER BY q.id LIMIT :look
), account AS MATERIALIZED (
    SELECT account_id, count(*) AS jobs, (array_agg(id ORDER BY id))[1] AS oldest_job_id, min(accepted_at) AS oldest_waiting_at
    FROM oldest GROUP BY account_id ORDER BY oldest_job_id LIMIT :most
)
SELECT w.*, a.name AS account_name, turn.throttled_until
FROM account w
CROSS JOIN LATERAL (SELECT name FROM accounts o WHERE o.id = w.account_id OFFSET 0) a
CROSS JOIN LATERAL (
    SELECT max(t.ready_at) AS throttled_until FROM account_turns t
    WHERE t.account_id = w.account_id AND t.active AND t.ready_at > t.throttled_at AND t.ready_at > now()
) turn
ORDER BY w.oldest_job_id;

-- name: failing(size)
-- The jobs that had an error of ours since their last success, those first that are tried next. Reads jobs_delayed only.
SELECT account_id, id, failures, retry_at FROM jobs
WHERE retry_at IS NOT NULL AND failures > 0
ORDER BY retry_at LIMIT :size;

-- name: account_of(states, operations, id)$
-- The account of a job. Null: there is no such job.
SELECT j.account_id
FROM unnest(:states::text[]) s (state)
CROSS JOIN unnest(:operations::text[]) o (operation)
CROSS JOIN LATERAL (
    SELECT account_id FROM jobs WHERE parallel > 0 AND state = s.state AND operation = o.operation AND id = :id
    ORDER BY id LIMIT 1
) j
LIMIT 1;

-- name: views(account_ids, ids)
-- Jobs as a client sees them, in this order, with the names of their accounts.
SELECT v.*, a.name AS account_name
FROM unnest(:account_ids::bigint[], :ids::uuid[]) WITH ORDINALITY k (account_id, id, place)
CROSS JOIN LATERAL (SELECT * FROM job_views w WHERE w.account_id = k.account_id AND w.id = k.id OFFSET 0) v
CROSS JOIN LATERAL (SELECT name FROM accounts o WHERE o.id = k.account_id OFFSET 0) a
ORDER BY k.place;
