-- name: throttle(account_id, id, wait_seconds)!
-- Delay the account's turn until its window has room again. `throttled_at` bounds the delay on the other side, so that
-- it ends early, and not late, if the clock is set back.
WITH turn AS (
    UPDATE account_turns SET throttled_at = clock_timestamp(),
        ready_at = clock_timestamp() + make_interval(secs => :wait_seconds)
    WHERE account_id = :account_id
)
UPDATE jobs SET throttled_until = clock_timestamp() + make_interval(secs => :wait_seconds)
WHERE account_id = :account_id AND id = :id;

-- name: lock(account_id)!
SELECT FROM account_turns WHERE account_id = :account_id FOR UPDATE;

-- name: wake(account_id)!
-- Make a delayed turn ready at once. The caller has locked the turn.
UPDATE account_turns SET ready_at = throttled_at WHERE account_id = :account_id AND ready_at > clock_timestamp();

-- name: lock_many(account_ids)!
SELECT FROM account_turns WHERE account_id = ANY (:account_ids::bigint[]) ORDER BY account_id FOR UPDATE;

-- name: deactivate_idle(account_ids)!
-- Deactivate the turns of accounts without unfinished jobs. The caller has locked the turns.
UPDATE account_turns t SET active = false
WHERE t.account_id = ANY (:account_ids::bigint[]) AND t.active AND NOT EXISTS (
    SELECT FROM streams s WHERE s.account_id = t.account_id AND s.pending > 0);

-- name: due()$
-- The number of chunks that can be claimed now.
SELECT COALESCE(sum(LEAST(waiting.chunks, j.parallel - running.chunks)), 0)::int
FROM claimable c
JOIN account_turns t ON t.account_id = c.account_id
JOIN jobs j ON j.account_id = c.account_id AND j.id = c.job_id
CROSS JOIN LATERAL (
    SELECT count(*) AS chunks FROM (
        SELECT FROM chunks w WHERE w.account_id = c.account_id AND w.job_id = c.job_id AND w.state = 'ready'
        LIMIT j.parallel) few
) waiting
CROSS JOIN LATERAL (
    SELECT count(*) AS chunks FROM chunks r
    WHERE r.account_id = c.account_id AND r.job_id = c.job_id AND r.state = 'running'
) running
WHERE clock_timestamp() NOT BETWEEN t.throttled_at AND t.ready_at;
