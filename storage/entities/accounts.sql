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
