-- name: count(account_id, id)$
-- Count a failure and delay the job. Returns the number of failures. Null: the job has ended.
UPDATE jobs SET failures = LEAST(failures + 1, @most_failures@),
    retry_at = clock_timestamp() + make_interval(secs => LEAST(power(@factor@, failures), @longest_delay_seconds@))
WHERE account_id = :account_id AND id = :id AND state IN ('queued', 'running')
RETURNING failures;

-- name: postpone(account_id, id)!
-- Delay the job without counting a failure.
UPDATE jobs SET retry_at = GREATEST(retry_at, clock_timestamp() + make_interval(secs => @busy_seconds@))
WHERE account_id = :account_id AND id = :id AND state IN ('queued', 'running');

-- name: reset(account_id, id)!
UPDATE jobs SET failures = 0, retry_at = NULL
WHERE account_id = :account_id AND id = :id AND state IN ('queued', 'running') AND failures > 0;

-- name: delayed()$
-- Reads the partial index jobs_delayed only.
SELECT count(*) FROM jobs WHERE retry_at IS NOT NULL AND failures > 0;
