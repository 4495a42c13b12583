-- name: add(account_ids, ats, items, redis_ats, postgres_ats)!
-- Store grants. The time of one is that of the newest grant of its account if the window's time stood still.
INSERT INTO grants AS g (account_id, at, items, redis_at, postgres_at)
SELECT * FROM unnest(:account_ids::bigint[], :ats::timestamptz[], :items::int[], :redis_ats::timestamptz[], :postgres_ats::timestamptz[])
ON CONFLICT (account_id, at) DO UPDATE SET
    items = g.items + excluded.items, redis_at = excluded.redis_at, postgres_at = excluded.postgres_at;

-- name: recent(account_ids, windows)
-- Of each account, the newest grant and those of the window before it, by the window's own time; `windows` are seconds.
SELECT a.account_id, g.at, g.items AS amount, g.redis_at, g.postgres_at
FROM unnest(:account_ids::bigint[], :windows::int[]) a (account_id, seconds)
CROSS JOIN LATERAL (SELECT max(at) AS at FROM grants WHERE account_id = a.account_id) newest
CROSS JOIN LATERAL (
    SELECT * FROM grants
    WHERE account_id = a.account_id AND at >= newest.at - make_interval(secs => a.seconds) OFFSET 0
) g;

-- name: used(account_id, window)^
-- What the grants of an account use of its window of so many seconds. PostgreSQL's clock says how much time has passed since
-- the newest grant, whose time is the window's own.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS postgres_at, make_interval(secs => :window::int) AS length
), newest AS (
    SELECT at, at + GREATEST(clock.postgres_at - g.postgres_at, make_interval()) AS now
    FROM clock, (SELECT at, postgres_at FROM grants WHERE account_id = :account_id ORDER BY at DESC LIMIT 1) g
)
SELECT clock.postgres_at, COALESCE(counted.items, 0)::bigint AS items,
    date_part('epoch', COALESCE(
        CASE WHEN counted.items > 0 THEN newest.at + clock.length - newest.now END, make_interval()))::float8 AS reset_seconds
FROM clock
LEFT JOIN newest ON true
LEFT JOIN LATERAL (
    SELECT sum(items) AS items FROM (
        SELECT items FROM grants WHERE account_id = :account_id AND at >= newest.now - clock.length OFFSET 0
    ) g
) counted ON true;
