-- name: create(name, region, phone_number_id, request_limit, item_limit, window_seconds, default_wait, keep_jobs_days)^
-- Create an account with its turn. Null means the default. UniqueViolationError: the name or phone_number_id is taken.
WITH account AS (
    INSERT INTO accounts (name, region, phone_number_id, request_limit, item_limit, window_seconds, default_wait,
        keep_jobs_days)
    VALUES (:name, :region::text, :phone_number_id::text, COALESCE(:request_limit::int, @request_limit@),
            COALESCE(:item_limit::int, @item_limit@), COALESCE(:window_seconds::int, @window_seconds@),
            COALESCE(:default_wait::int, @default_wait@), NULLIF(:keep_jobs_days::int, 0))
    RETURNING *
), turn AS (
    INSERT INTO account_turns (account_id, active)
    SELECT id, false FROM account
)
SELECT * FROM account;

-- name: update(name, region, phone_number_id, request_limit, item_limit, window_seconds, default_wait, keep_jobs_days)^
-- Set the columns whose parameter is not null. An empty region or phone_number_id, or 0 days,
-- clear the column. A throttled
-- account becomes ready, because its limit may be higher now. No row: no such account.
WITH account AS (
    UPDATE accounts SET
        region = NULLIF(COALESCE(:region::text, region), ''),
        phone_number_id = NULLIF(COALESCE(:phone_number_id::text, phone_number_id), ''),
        request_limit = COALESCE(:request_limit::int, request_limit),
        item_limit = COALESCE(:item_limit::int, item_limit),
        window_seconds = COALESCE(:window_seconds::int, window_seconds),
        default_wait = COALESCE(:default_wait::int, default_wait),
        keep_jobs_days = NULLIF(COALESCE(:keep_jobs_days::int, keep_jobs_days), 0)
    WHERE name = :name
    RETURNING *
), turn AS (
    UPDATE account_turns t SET ready_at = now() FROM account WHERE t.account_id = account.id
)
SELECT * FROM account;

-- name: by_name(name)^
SELECT * FROM accounts WHERE name = :name;

-- name: by_id(id)^
SELECT * FROM accounts WHERE id = :id;

-- name: by_key(account_id, key_hash)^
-- The account of a key that is not revoked.
SELECT a.*
FROM api_keys k
JOIN accounts a ON a.id = k.account_id
WHERE k.account_id = :account_id AND k.key_hash = :key_hash AND k.revoked_at IS NULL;

-- name: by_key_with_jobs(account_id, key_hash)^
-- As `by_key`, with the number of jobs of the account that have not ended, uploads included.
SELECT a.*, jobs.unfinished
FROM api_keys k
JOIN accounts a ON a.id = k.account_id
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(s.pending), 0)::int + (SELECT count(*)::int FROM (
        SELECT FROM jobs j WHERE j.account_id = a.id AND j.state = 'receiving' ORDER BY j.lease_until OFFSET 0) r) AS unfinished
    FROM streams s WHERE s.account_id = a.id AND s.pending > 0
) jobs
WHERE k.account_id = :account_id AND k.key_hash = :key_hash AND k.revoked_at IS NULL;

-- name: add_key(account_id, id, name, key_hash)^
-- UniqueViolationError: a live key of the account has this name.
INSERT INTO api_keys (account_id, id, name, key_hash) VALUES (:account_id, :id, :name, :key_hash)
RETURNING id, name, created_at, revoked_at;

-- name: list_keys(account_id, most)
-- The keys of an account, the oldest first. Of many, the live ones and the newest.
SELECT * FROM (
    SELECT id, name, created_at, revoked_at FROM api_keys WHERE account_id = :account_id
    ORDER BY revoked_at DESC NULLS FIRST, created_at DESC
    LIMIT :most
) k ORDER BY created_at, id;

-- name: revoke_key(account_id, key)^
-- Revoke a live key, by its id or its name, and return it. No row: no such key.
UPDATE api_keys SET revoked_at = now()
WHERE account_id = :account_id AND revoked_at IS NULL AND id = (
    SELECT id FROM api_keys
    WHERE account_id = :account_id AND (id = :key OR name = :key) AND revoked_at IS NULL
    ORDER BY id = :key DESC
    LIMIT 1)
RETURNING id, name, created_at, revoked_at;

-- name: owners_of_key(key)
-- The accounts that have a live key with this id or this name.
SELECT a.* FROM api_keys k JOIN accounts a ON a.id = k.account_id
WHERE (k.id = :key OR k.name = :key) AND k.revoked_at IS NULL
ORDER BY a.name;
