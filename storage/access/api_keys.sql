-- name: by_key(account_id, key_hash)^
-- A key that is not revoked, with its account, unless that is being deleted: a key may have been created meanwhile.
-- `expired_at`: since when it has expired.
SELECT a.*, k.id AS key_id, k.scopes, @expired_at@, 0 AS unfinished
FROM api_keys k
JOIN accounts a ON a.id = k.account_id
WHERE k.account_id = :account_id AND k.key_hash = :key_hash AND k.revoked_at IS NULL AND a.deleting_at IS NULL;

-- name: by_key_with_jobs(account_id, key_hash)^
-- As `by_key`, with the number of jobs of the account that have not ended, uploads included.
SELECT a.*, k.id AS key_id, k.scopes, @expired_at@, jobs.unfinished
FROM api_keys k
JOIN accounts a ON a.id = k.account_id
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(s.pending), 0)::int + (SELECT count(*)::int FROM (
        SELECT FROM jobs j WHERE j.account_id = a.id AND j.state = 'receiving' ORDER BY j.lease_until OFFSET 0) r) AS unfinished
    FROM streams s WHERE s.account_id = a.id AND s.pending > 0
) jobs
WHERE k.account_id = :account_id AND k.key_hash = :key_hash AND k.revoked_at IS NULL AND a.deleting_at IS NULL;

-- name: add(account_id, id, name, key_hash, scopes, expires_at)^
-- Create a key. The name of a key that has expired is free. UniqueViolationError: another live key has this name. The
-- insert reads `freed`, so that it comes after it.
WITH freed AS (
    UPDATE api_keys SET replaced_by = :id
    WHERE account_id = :account_id AND name = :name AND revoked_at IS NULL AND replaced_by IS NULL
      AND LEAST(expires_at, grace_until) <= now()
    RETURNING 1
)
INSERT INTO api_keys (account_id, id, name, key_hash, scopes, expires_at)
SELECT :account_id, :id, :name, :key_hash, :scopes::text[], :expires_at::timestamptz FROM (SELECT count(*) FROM freed) f
RETURNING @key@;

-- name: list_all(account_id, most)
-- The keys of an account, the oldest first. Of many, those that are not revoked and the newest.
SELECT * FROM (
    SELECT @key@ FROM api_keys WHERE account_id = :account_id
    ORDER BY revoked_at DESC NULLS FIRST, created_at DESC
    LIMIT :most
) k ORDER BY created_at, id;

-- name: find(account_id, key)^
-- The key with this id, or that has this name now; revoked or not.
SELECT @key@ FROM api_keys
WHERE account_id = :account_id AND (id = :key OR name = :key)
ORDER BY id = :key DESC, revoked_at IS NULL AND replaced_by IS NULL DESC, created_at DESC
LIMIT 1;

-- name: revoke(account_id, key)^
-- Revoke the key with this id, or else all keys with this name, and return the newest of them. No row: no such key. A key
-- that a revoked one has replaced is not replaced any more, so it can be rotated again and has its name back, unless a third
-- key has got the name; the update of those reads `revoked`, so that it comes after it.
WITH wanted AS MATERIALIZED (
    SELECT id FROM api_keys
    WHERE account_id = :account_id AND revoked_at IS NULL AND (id = :key OR name = :key AND NOT EXISTS (
        SELECT FROM api_keys WHERE account_id = :account_id AND id = :key AND revoked_at IS NULL))
), revoked AS (
    UPDATE api_keys SET revoked_at = now()
    WHERE account_id = :account_id AND revoked_at IS NULL AND id = ANY (ARRAY(SELECT id FROM wanted))
    RETURNING @key@
), restored AS (
    UPDATE api_keys SET replaced_by = NULL
    WHERE account_id = :account_id AND revoked_at IS NULL AND LEAST(expires_at, grace_until) > now()
      AND replaced_by = ANY (ARRAY(SELECT id FROM revoked)) AND NOT id = ANY (ARRAY(SELECT id FROM revoked))
      AND NOT EXISTS (
        SELECT FROM api_keys o WHERE o.account_id = :account_id AND o.name = api_keys.name AND o.revoked_at IS NULL
          AND o.replaced_by IS NULL AND NOT o.id = ANY (ARRAY(SELECT id FROM revoked)))
)
SELECT * FROM revoked ORDER BY replaced_by IS NULL DESC, created_at DESC LIMIT 1;

-- name: rotate(account_id, old_id, id, key_hash, grace_seconds, expires_at, latest)^
-- Create a key with the name and the scopes of another, which ends after the grace. Without `expires_at`, the new key has the
-- own end of the old one; it ends at `latest` at the latest. No row: the old key is not active, or was replaced: the lock
-- makes the second of two rotations see it.
WITH old AS MATERIALIZED (
    SELECT id, name, scopes, expires_at FROM api_keys
    WHERE account_id = :account_id AND id = :old_id AND revoked_at IS NULL AND replaced_by IS NULL
      AND (LEAST(expires_at, grace_until) <= now()) IS NOT TRUE
    FOR UPDATE
), ending AS (
    UPDATE api_keys k SET replaced_by = :id, grace_until = LEAST(k.grace_until, now() + make_interval(secs => :grace_seconds))
    FROM old WHERE k.account_id = :account_id AND k.id = old.id
    RETURNING 1
)
INSERT INTO api_keys (account_id, id, name, key_hash, scopes, expires_at)
SELECT :account_id, :id, old.name, :key_hash, old.scopes,
    LEAST(COALESCE(:expires_at::timestamptz, old.expires_at), :latest::timestamptz)
FROM old CROSS JOIN (SELECT count(*) FROM ending) e
RETURNING @key@;

-- name: owners(key)
-- The accounts that have a key with this id or this name that is not revoked.
SELECT a.* FROM accounts a
WHERE a.id IN (SELECT k.account_id FROM api_keys k WHERE (k.id = :key OR k.name = :key) AND k.revoked_at IS NULL)
ORDER BY a.name;

-- name: note_uses(account_ids, ids, every_seconds)!
-- Record that keys were used, unless it was recorded less than `every_seconds` ago. Waits for no lock: a key that somebody
-- else is changing is left out. A time in the future is that of a clock that was wrong.
UPDATE api_keys k SET last_used_at = now()
FROM (
    SELECT due.account_id, due.id
    FROM unnest(:account_ids::bigint[], :ids::text[]) u (account_id, id)
    CROSS JOIN LATERAL (
        SELECT account_id, id FROM api_keys
        WHERE account_id = u.account_id AND id = u.id
          AND (last_used_at BETWEEN now() - make_interval(secs => :every_seconds) AND now()) IS NOT TRUE
        OFFSET 0 FOR NO KEY UPDATE SKIP LOCKED
    ) due
) used
WHERE k.account_id = ANY (ARRAY[used.account_id]) AND k.id = used.id;

-- name: active(account_ids, ids)
-- Those of the keys that are neither revoked nor expired.
SELECT active.account_id, active.id
FROM unnest(:account_ids::bigint[], :ids::text[]) u (account_id, id)
CROSS JOIN LATERAL (
    SELECT account_id, id FROM api_keys
    WHERE account_id = u.account_id AND id = u.id AND revoked_at IS NULL AND (LEAST(expires_at, grace_until) <= now()) IS NOT TRUE
    OFFSET 0
) active;
