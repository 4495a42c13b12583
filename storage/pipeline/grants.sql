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
