-- name: throttle(account_ids, ids, waits)!
-- Delay the turns of accounts until their windows have room again; `waits` are seconds. `throttled_at` bounds the delay on
-- the other side, so that it ends early, and not late, if the clock is set back. Each job that waits is marked.
WITH throttled AS (
    SELECT * FROM unnest(:account_ids::bigint[], :ids::uuid[], :waits::double precision[]) t (account_id, id, seconds)
), turn AS (
    UPDATE account_turns t SET throttled_at = clock_timestamp(), ready_at = clock_timestamp() + make_interval(secs => throttled.seconds)
    FROM throttled WHERE t.account_id = ANY (ARRAY[throttled.account_id])
)
UPDATE jobs j SET throttled_until = clock_timestamp() + make_interval(secs => throttled.seconds)
FROM throttled WHERE j.account_id = ANY (ARRAY[throttled.account_id]) AND j.id = throttled.id;

-- name: lock(account_id)!
SELECT FROM account_turns WHERE account_id = :account_id FOR UPDATE;

-- name: wake(account_id)!
-- Make a delayed turn ready at once. The caller has locked the turn.
UPDATE account_turns SET ready_at = throttled_at WHERE account_id = :account_id AND ready_at > clock_timestamp();

-- name: wake_due(most)!
SELECT wake_turns(:most);

-- name: due(most)$
-- The number of chunks that can be claimed now, but not more than `most`. Reads as many turns as it counts chunks, and
-- those of accounts whose chunks are all in flight.
SELECT LEAST(COALESCE(sum(chunks), 0), :most)::int FROM (
    SELECT LEAST(waiting.chunks, c.parallel - running.chunks) AS chunks
    FROM account_turns t
    CROSS JOIN LATERAL (SELECT * FROM claimable c WHERE c.account_id = t.account_id LIMIT :most) c
    CROSS JOIN LATERAL (
        SELECT count(*) AS chunks FROM (
            SELECT FROM chunks w WHERE w.account_id = c.account_id AND w.job_id = c.job_id AND w.state = 'ready'
            LIMIT c.parallel) few
    ) waiting
    CROSS JOIN LATERAL (
        SELECT count(*) AS chunks FROM chunks r
        WHERE r.account_id = c.account_id AND r.job_id = c.job_id AND r.state = 'running'
    ) running
    WHERE t.active AND t.ready_at <= t.throttled_at
    LIMIT :most
) found;

-- name: receiving(account_id)$
-- The number of uploads of an account.
SELECT count(*)::int FROM (
    SELECT FROM jobs WHERE account_id = :account_id AND state = 'receiving' ORDER BY lease_until OFFSET 0) r;

-- name: backlog(account_id)
-- The accepted jobs of an account that have not ended, by stream. They are at most as many as the account may have. Only
-- the chunks of running jobs are read: one job of each stream.
WITH unended AS MATERIALIZED (
    SELECT id, stream, state, total, started_at, throttled_until FROM jobs
    WHERE account_id = :account_id AND state IN ('queued', 'running') AND stream_position > 0
)
SELECT u.stream, count(*)::int AS jobs, (count(*) FILTER (WHERE u.total IS NULL))::int AS uncounted,
    COALESCE(sum(GREATEST(u.total - done.items, 0)), 0)::bigint AS items,
    COALESCE(sum(done.items / GREATEST(date_part('epoch', clock_timestamp() - u.started_at), 0.001)), 0)::float8 AS pace,
    max(u.throttled_until) AS throttled_until
FROM unended u
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(c.items), 0) AS items FROM chunks c
    WHERE u.state = 'running' AND c.account_id = :account_id AND c.job_id = u.id AND c.state IN ('done', 'cancelled')
    OFFSET 0
) done
GROUP BY u.stream
ORDER BY items DESC, u.stream;
