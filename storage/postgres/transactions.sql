-- name: try_lock(key)$
-- Take the advisory lock until the transaction ends. False: another session holds it.
SELECT pg_try_advisory_xact_lock(:key);

-- name: ping()$
SELECT 1;

-- name: flush()!
-- Wait until all earlier commits are on disk. The message makes this a transaction that writes WAL, so its own commit
-- waits.
SELECT pg_logical_emit_message(true, 'bulklane', '');

-- name: end_silent_sessions(names, seconds)$
-- Terminate the sessions with these names that have waited for their clients since `seconds` in the middle of a command.
-- Returns their number. No limit of PostgreSQL ends them: idle_in_transaction_session_timeout begins when a command has
-- ended, and a time-out of a statement is put off while the server reads from the client. COPY has its time-out.
WITH silent AS MATERIALIZED ( -- a planner may evaluate conditions in any order
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND application_name = ANY (:names::text[])
      AND state = 'active' AND wait_event = 'ClientRead' AND query NOT LIKE 'COPY %'
      AND state_change < clock_timestamp() - make_interval(secs => :seconds)
)
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM silent;
