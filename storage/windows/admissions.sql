-- name: lock(account_id)!
-- Admit the requests of an account one after the other: until the end of the transaction.
SELECT FROM accounts WHERE id = :account_id FOR NO KEY UPDATE;

-- name: read(account_id, postgres_at, api_at, step_seconds)^
-- Read the admission window. `at` is the window's own time: it goes on by the smaller of what both clocks say since its
-- base, and a clock that went back is left out, as in window.lua. `stepped` tells whether a clock has stepped since. An
-- admission counts until it is older than the window. `room` is the number of requests that can be admitted now, `wait`
-- the time at the end of which there is room for one, `reset` the time at the end of which nothing counts any more.
WITH account AS (
    SELECT request_limit, make_interval(secs => window_seconds) AS length FROM accounts WHERE id = :account_id
), newest AS (
    SELECT * FROM admissions WHERE account_id = :account_id ORDER BY at DESC LIMIT 1
), clocks AS MATERIALIZED (
    SELECT COALESCE(:postgres_at::timestamptz, clock_timestamp()) AS postgres_at, :api_at::timestamptz AS api_at
), tick AS MATERIALIZED (
    SELECT c.postgres_at, c.api_at, n.at AS newest, COALESCE(n.base_at + passed.least, c.postgres_at) AS at,
        passed.stepped
    FROM clocks c
    LEFT JOIN newest n ON true
    CROSS JOIN LATERAL (
        SELECT COALESCE(min(advance) FILTER (WHERE advance >= make_interval()), make_interval()) AS least,
            min(advance) < make_interval()
                OR max(advance) - min(advance) >= make_interval(secs => :step_seconds) AS stepped
        FROM (VALUES (c.postgres_at - n.postgres_at), (c.api_at - n.api_at)) advances (advance)
    ) passed
), counted AS (
    SELECT a.at, a.requests, sum(a.requests) OVER (ORDER BY a.at DESC) AS and_newer
    FROM account
    CROSS JOIN tick
    CROSS JOIN LATERAL (
        SELECT at, requests FROM admissions WHERE account_id = :account_id AND at >= tick.at - account.length OFFSET 0
    ) a
), used AS (
    SELECT COALESCE(sum(requests), 0)::int AS requests,
        max(at) FILTER (WHERE and_newer >= (SELECT request_limit FROM account)) AS blocks
    FROM counted
)
SELECT tick.at, tick.postgres_at, tick.api_at, tick.stepped, GREATEST(account.request_limit - used.requests, 0) AS room,
    COALESCE(used.blocks + account.length - tick.at, make_interval()) AS wait,
    CASE WHEN used.requests > 0 THEN tick.newest + account.length - tick.at ELSE make_interval() END AS reset,
    account.length
FROM account, tick, used;

-- name: add(account_id, at, postgres_at, api_at)!
-- Record an admission. The time is the one of the newest admission if the window's time stood still.
INSERT INTO admissions AS a (account_id, at, base_at, postgres_at, api_at)
VALUES (:account_id, :at, :at, :postgres_at, :api_at)
ON CONFLICT (account_id, at) DO UPDATE SET
    requests = a.requests + 1, postgres_at = excluded.postgres_at, api_at = excluded.api_at;

-- name: rebase(account_id, at, postgres_at, api_at)!
-- Continue the window's time from here, so that the step of a clock is left behind.
UPDATE admissions SET base_at = :at, postgres_at = :postgres_at, api_at = :api_at
WHERE account_id = :account_id AND at = (SELECT max(at) FROM admissions WHERE account_id = :account_id);
