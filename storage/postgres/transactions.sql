-- name: try_lock(key)$
-- Take the advisory lock until the transaction ends. False: another session holds it.
SELECT pg_try_advisory_xact_lock(:key);

-- name: ping()$
SELECT 1;
