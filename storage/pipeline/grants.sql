-- name: add(account_id, at, items, redis_at, postgres_at)!
-- Store a grant. The time is the one of the newest grant if the window's time stood still.
INSERT INTO grants AS g (account_id, at, items, redis_at, postgres_at)
VALUES (:account_id, :at, :items, :redis_at, :postgres_at)
ON CONFLICT (account_id, at) DO UPDATE SET
    items = g.items + excluded.items, redis_at = excluded.redis_at, postgres_at = excluded.postgres_at;

-- name: recent(account_id, window_seconds)
-- The newest grant and those of the window before it, by the window's own time.
SELECT at, items AS amount, redis_at, postgres_at
FROM grants
WHERE account_id = :account_id AND at >= (
    SELECT max(at) FROM grants WHERE account_id = :account_id) - make_interval(secs => :window_seconds);

-- name: prune(keep_seconds)!
-- Delete what no window can count any more. Ages are measured from the account's newest grant, because the clock may
-- have stepped since.
DELETE FROM grants g
USING accounts o
CROSS JOIN LATERAL (SELECT n.at FROM grants n WHERE n.account_id = o.id ORDER BY n.at DESC LIMIT 1) newest
WHERE g.account_id = o.id AND g.at < newest.at - make_interval(secs => :keep_seconds);
