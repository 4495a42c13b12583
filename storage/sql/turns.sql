-- name: throttle(account_id, id, wait_seconds)!
-- The window is used up: the account's turn comes again when it will have room.
WITH turn AS (
    UPDATE account_turns SET ready_at = clock_timestamp() + make_interval(secs => :wait_seconds)
    WHERE account_id = :account_id
)
UPDATE jobs SET throttled_until = clock_timestamp() + make_interval(secs => :wait_seconds)
WHERE account_id = :account_id AND id = :id;

-- name: lock(account_id)!
SELECT FROM account_turns WHERE account_id = :account_id FOR UPDATE;

-- name: settle(account_id)!
-- After `lock`: an account without unfinished jobs is out of the running.
UPDATE account_turns SET active = EXISTS (
    SELECT FROM streams s WHERE s.account_id = :account_id AND s.pending > 0)
WHERE account_id = :account_id AND active;

-- name: due()$
-- How many chunks could be claimed at this moment, counting one a stream.
SELECT count(*) FROM claimable c
JOIN account_turns t ON t.account_id = c.account_id
WHERE t.ready_at <= clock_timestamp();
