-- name: try_lock(key)$
-- Take the advisory lock until the transaction ends. False: another session holds it.
SELECT pg_try_advisory_xact_lock(:key);

-- name: ping()$
SELECT 1;

-- name: flush()!
-- Wait until all earlier commits are on disk. The message makes this a transaction that writes WAL, so its own commit
-- waits.
SELECT pg_logical_emit_message(true, 'bulklane', '');
