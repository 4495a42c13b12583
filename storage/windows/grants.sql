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
