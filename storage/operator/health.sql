-- name: postgres()^
-- The server, the database and its sessions. Times are in seconds.
SELECT current_setting('server_version') AS version,
    extract('epoch' FROM now() - pg_postmaster_start_time())::float8 AS up_seconds,
    pg_is_in_recovery() AS standby, pg_database_size(current_database()) AS bytes,
    current_setting('max_connections')::int AS max_connections, sessions.*,
    current_setting('fsync')::bool AS fsync, current_setting('full_page_writes')::bool AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    (SELECT count(*) FROM pg_stat_replication) AS replicas, current_setting('synchronous_standby_names') AS synchronous_replicas,
    (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()) AS transaction_age
FROM (
    SELECT count(*) AS connections, count(*) FILTER (WHERE state = 'active') AS active,
        count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS idle_in_transaction,
        count(*) FILTER (WHERE wait_event_type = 'Lock') AS waiting_for_locks,
        COALESCE(max(extract('epoch' FROM clock_timestamp() - xact_start)), 0)::float8 AS oldest_transaction_seconds
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
) sessions;

-- name: tables(most)
-- The tables with the most dead rows.
SELECT s.relname AS name, s.n_live_tup AS live_rows, s.n_dead_tup AS dead_rows, pg_total_relation_size(s.relid) AS bytes,
    GREATEST(s.last_vacuum, s.last_autovacuum) AS vacuumed_at
FROM pg_stat_user_tables s
ORDER BY s.n_dead_tup DESC, s.relname LIMIT :most;

-- name: locks(most)
-- The sessions that wait for a lock, those first that wait longest.
SELECT s.pid, s.application_name AS name, s.query, pg_blocking_pids(s.pid) AS blocked_by,
    COALESCE(extract('epoch' FROM clock_timestamp() - l.waitstart), 0)::float8 AS wait_seconds
FROM pg_stat_activity s
CROSS JOIN LATERAL (SELECT min(waitstart) AS waitstart FROM pg_locks w WHERE w.pid = s.pid AND NOT w.granted) l
WHERE s.datname = current_database() AND s.wait_event_type = 'Lock'
ORDER BY wait_seconds DESC, s.pid LIMIT :most;
