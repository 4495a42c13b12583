-- name: beat(id, host, pid, version, age, metrics_port)!
-- Say that a worker lives. `age` is the time in seconds since its start.
INSERT INTO workers (id, host, pid, version, started_at, seen_at, metrics_port)
VALUES (:id, :host, :pid, :version, now() - make_interval(secs => :age), now(), :metrics_port)
ON CONFLICT (id) DO UPDATE SET seen_at = now();

-- name: leave(id)!
DELETE FROM workers WHERE id = :id;

-- name: forget()!
-- Delete the rows of workers that are dead for long. Rows that another worker deletes are skipped, so no worker waits.
DELETE FROM workers WHERE id = ANY (ARRAY(
    SELECT id FROM workers
    WHERE seen_at NOT BETWEEN now() - make_interval(secs => @forget_seconds@) AND now() + make_interval(secs => @forget_seconds@)
    FOR UPDATE SKIP LOCKED
));

-- name: list(most)
-- The workers, those that started first, each with the chunks that it holds. One row a chunk; a worker without one has a row.
SELECT w.*, w.seen_at < now() - make_interval(secs => @silent_seconds@) AS silent, held.*, a.name AS account_name
FROM (
    SELECT * FROM workers
    WHERE seen_at >= now() - make_interval(secs => @forget_seconds@)
    ORDER BY started_at, id LIMIT :most
) w
LEFT JOIN LATERAL (
    SELECT c.account_id, c.job_id, c.first_index, c.items, c.deaths, c.claimed_at
    FROM chunks c
    WHERE c.worker_id = w.id AND c.state = 'running' OFFSET 0
) held ON true
LEFT JOIN LATERAL (SELECT name FROM accounts o WHERE o.id = held.account_id OFFSET 0) a ON true
ORDER BY w.started_at, w.id, held.claimed_at, held.job_id, held.first_index;
