-- name: unfinished(states, operations, most)
-- How many jobs of all accounts have not ended, by operation and state. Counts at most `most` of each, along jobs_sorted.
SELECT o.operation, s.state, n.jobs
FROM unnest(:states::text[]) s (state)
CROSS JOIN unnest(:operations::text[]) o (operation)
CROSS JOIN LATERAL (
    SELECT count(*) AS jobs FROM (
        SELECT FROM jobs WHERE parallel > 0 AND state = s.state AND operation = o.operation
        ORDER BY id LIMIT :most
    ) j
) n;

-- name: summary(operations, silent_seconds, most)^
-- The seconds since the acceptance of the queued job that was received first (0: none waits), jobs that had an error of
-- ours, accounts that wait for their window, and workers, by whether they gave a sign of life. Reads the first entries of
-- jobs_sorted, the partial indexes jobs_delayed and account_turns_waiting, and the table of workers, which are few.
SELECT COALESCE((
        SELECT GREATEST(extract('epoch' FROM clock_timestamp() - q.accepted_at), 0)
        FROM unnest(:operations::text[]) o (operation)
        CROSS JOIN LATERAL (
            SELECT id, accepted_at FROM jobs WHERE parallel > 0 AND state = 'queued' AND operation = o.operation
            ORDER BY id LIMIT 1
        ) q
        ORDER BY q.id LIMIT 1
    ), 0)::float8 AS oldest_waiting_seconds,
    (SELECT count(*) FROM jobs WHERE retry_at IS NOT NULL AND failures > 0) AS failing_jobs,
    (SELECT count(*) FROM (
        SELECT FROM account_turns WHERE active AND ready_at > throttled_at AND ready_at > now()
        ORDER BY ready_at LIMIT :most) t) AS throttled_accounts,
    workers.*
FROM (
    SELECT count(*) FILTER (WHERE seen_at >= now() - make_interval(secs => :silent_seconds)) AS alive,
        count(*) FILTER (WHERE seen_at < now() - make_interval(secs => :silent_seconds)) AS silent
    FROM workers
) workers;
