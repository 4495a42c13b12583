-- name: try_lock(key)$
-- The advisory lock, held until the transaction ends; false: another session has it.
SELECT pg_try_advisory_xact_lock(:key);

-- name: ping()$
SELECT 1;
