-- name: summary(operations, silent_seconds, most)^
-- What all accounts wait for. `pending`: jobs that are queued or running, as their streams count them, so without reading
-- them; `running` and `receiving`: along partial indexes. The seconds since the acceptance of the queued job that was
-- received first (0: none waits). Jobs that had an error of ours, accounts that wait for their window, and workers, by
-- whether they gave a sign of life. Webhooks with a delivery that is due, and the seconds since the first of them was: their
-- deliveries are many, and are not read. No count goes beyond `most` rows.
SELECT (
        SELECT COALESCE(sum(s.pending), 0) FROM (
            SELECT pending FROM streams WHERE pending > 0 ORDER BY account_id, stream LIMIT :most) s
    )::bigint AS pending,
    (SELECT count(*) FROM (
        SELECT FROM jobs WHERE state = 'running' ORDER BY account_id + 0 LIMIT :most) r) AS running,
    (SELECT count(*) FROM (
        SELECT FROM jobs WHERE state = 'receiving' ORDER BY account_id, lease_until LIMIT :most) u) AS receiving,
    COALESCE((
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
    (SELECT count(*) FROM (
        SELECT FROM webhooks WHERE due_at <= now() ORDER BY due_at LIMIT :most) d) AS due_webhooks,
    COALESCE((
        SELECT GREATEST(extract('epoch' FROM clock_timestamp() - due_at), 0) FROM webhooks
        WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1
    ), 0)::float8 AS oldest_due_seconds,
    workers.*
FROM (
    SELECT count(*) FILTER (WHERE seen_at >= now() - make_interval(secs => :silent_seconds)) AS alive,
        count(*) FILTER (WHERE seen_at < now() - make_interval(secs => :silent_seconds)) AS silent
    FROM workers
) workers;
