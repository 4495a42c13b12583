-- name: open(account_id, id, operation, params, stream, format, parallel, request_id, dry_run, parent_id, idempotency_key, lease_seconds)!
-- A job whose body is still coming in; the api renews its lease. One that is there already stays as it is:
-- an upload that is given up while it is being accepted.
INSERT INTO jobs (account_id, id, operation, params, stream, state, format, parallel, request_id, dry_run, parent_id,
    idempotency_key, lease_until)
VALUES (:account_id, :id, :operation, :params::jsonb, :stream, 'receiving', :format, :parallel, :request_id,
        :dry_run, :parent_id, :idempotency_key, now() + make_interval(secs => :lease_seconds))
ON CONFLICT (account_id, id) DO NOTHING;

-- name: add_part(account_id, id, part, body)!
INSERT INTO parts (account_id, job_id, part, body) VALUES (:account_id, :id, :part, :body);

-- name: accept(account_id, id, stream, layout, parallel, parts, bytes, total, request_hash)$
-- The job is accepted: it takes its place in the stream, and its account is in the running for turns.
-- `total` is null where a worker has to split. Null: the job is no longer receiving (its lease ran out).
WITH receiving AS MATERIALIZED (
    SELECT id FROM jobs WHERE account_id = :account_id AND id = :id AND state = 'receiving' FOR UPDATE
), place AS (
    INSERT INTO streams AS s (account_id, stream, last_position, pending)
    SELECT :account_id, :stream, 1, 1 FROM receiving
    ON CONFLICT (account_id, stream)
        DO UPDATE SET last_position = s.last_position + 1, pending = s.pending + 1
    RETURNING last_position
), turn AS (
    UPDATE account_turns t SET
        active = true,
        virtual_time = CASE WHEN t.active THEN t.virtual_time ELSE GREATEST(t.virtual_time, (
            SELECT c.start_tag FROM account_turns c WHERE c.served_at IS NOT NULL
            ORDER BY c.served_at DESC NULLS LAST LIMIT 1)) END
    WHERE t.account_id = :account_id AND EXISTS (SELECT FROM place)
)
UPDATE jobs SET
    state = 'queued', stream_position = place.last_position, layout = :layout::jsonb, parallel = :parallel,
    parts = :parts, bytes = :bytes, total = :total::int,
    split_parts = CASE WHEN :total::int IS NULL THEN 0 ELSE :parts END, split_items = COALESCE(:total::int, 0),
    request_hash = :request_hash::bytea, lease_until = NULL, accepted_at = clock_timestamp()
FROM place
WHERE account_id = :account_id AND id = :id
RETURNING stream_position;

-- name: fail_receiving(account_id, id, error_code, error_message)$
-- An upload that did not arrive whole ends as failed; its bytes go.
WITH failed AS (
    UPDATE jobs SET state = 'failed', error_code = :error_code, error_message = :error_message, total = 0,
        lease_until = NULL, finished_at = now()
    WHERE account_id = :account_id AND id = :id AND state = 'receiving'
    RETURNING account_id, id
), bytes AS (
    DELETE FROM parts p USING failed WHERE p.account_id = failed.account_id AND p.job_id = failed.id
)
SELECT id FROM failed;

-- name: renew_receiving(account_ids, ids, lease_seconds)!
UPDATE jobs j SET lease_until = now() + make_interval(secs => :lease_seconds)
FROM unnest(:account_ids::bigint[], :ids::uuid[]) mine (account_id, id)
WHERE j.account_id = mine.account_id AND j.id = mine.id AND j.state = 'receiving';

-- name: abandoned(grace_seconds)
-- Uploads whose api died. Not right after a restart of PostgreSQL: the living could not renew meanwhile.
SELECT account_id, id FROM jobs
WHERE state = 'receiving' AND lease_until < now()
  AND pg_postmaster_start_time() < now() - make_interval(secs => :grace_seconds);

-- name: unfinished(account_id)$
SELECT COALESCE(sum(pending), 0)::int
    + (SELECT count(*) FROM jobs WHERE account_id = :account_id AND state = 'receiving')
FROM streams WHERE account_id = :account_id AND pending > 0;

-- name: recently_accepted(account_id, since)
-- When the requests of the admission window were accepted: its history after a flush.
SELECT accepted_at AS at, 1 AS items FROM jobs
WHERE account_id = :account_id AND accepted_at >= :since
ORDER BY accepted_at;

-- name: views(account_id, ids)
-- Jobs as a client sees them, newest first: counts (those of the chunks while the job runs), the number of
-- jobs ahead in the stream, the first 20 item errors (of large ones neither value nor item).
SELECT j.*, a.item_limit, a.window_seconds, live.*, ahead.jobs AS ahead, problems.first_errors
FROM jobs j
JOIN accounts a ON a.id = j.account_id
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(c.created), 0) AS live_created, COALESCE(sum(c.updated), 0) AS live_updated,
        COALESCE(sum(c.unchanged), 0) AS live_unchanged, COALESCE(sum(c.merged), 0) AS live_merged,
        COALESCE(sum(c.skipped), 0) AS live_skipped, COALESCE(sum(c.failed), 0) AS live_failed
    FROM chunks c
    WHERE j.state = 'running' AND c.account_id = j.account_id AND c.job_id = j.id AND c.state = 'done'
) live
CROSS JOIN LATERAL (
    SELECT count(*) AS jobs FROM jobs e
    WHERE e.account_id = j.account_id AND e.stream = j.stream AND e.state IN ('queued', 'running')
      AND e.stream_position < j.stream_position AND j.state IN ('queued', 'running')
) ahead
CROSS JOIN LATERAL (
    SELECT json_agg(f) AS first_errors FROM (
        SELECT item_index AS index, ref, field, code, message,
            CASE WHEN octet_length(value::text) <= 4096 THEN value END AS value,
            CASE WHEN octet_length(item::text) <= 4096 THEN item END AS item
        FROM item_errors e
        WHERE e.account_id = j.account_id AND e.job_id = j.id
        ORDER BY item_index LIMIT 20
    ) f
) problems
WHERE j.account_id = :account_id AND j.id = ANY (:ids::uuid[])
ORDER BY j.id DESC;

-- name: state(account_id, id)$
SELECT state FROM jobs WHERE account_id = :account_id AND id = :id;

-- name: layout(account_id, id)$
SELECT layout FROM jobs WHERE account_id = :account_id AND id = :id;

-- name: page(account_id, state, operation, since, before, size)
-- Ids of the account's jobs, newest first; null filters nothing.
SELECT id FROM jobs
WHERE account_id = :account_id
  AND (:state::text IS NULL OR state = :state)
  AND (:operation::text IS NULL OR operation = :operation)
  AND (:since::timestamptz IS NULL OR received_at >= :since)
  AND (:before::uuid IS NULL OR id < :before)
ORDER BY id DESC
LIMIT :size;

-- name: next_part(account_id, id)^
-- The next part to split, under the job's lock; no row: another splitter is at it, or nothing is left.
SELECT j.format, j.layout, j.split_parts AS part, j.split_items AS first_index, j.parts, p.body
FROM jobs j
LEFT JOIN parts p ON p.account_id = j.account_id AND p.job_id = j.id AND p.part = j.split_parts
WHERE j.account_id = :account_id AND j.id = :id AND j.state IN ('queued', 'running') AND j.total IS NULL
FOR UPDATE OF j SKIP LOCKED;

-- name: add_chunks(account_id, id, part, first_indexes, starts, ends, items)!
INSERT INTO chunks (account_id, job_id, part, first_index, byte_start, byte_end, items)
SELECT :account_id, :id, :part, r.*
FROM unnest(:first_indexes::int[], :starts::int[], :ends::int[], :items::int[]) r;

-- name: record_split(account_id, id, items)^
-- One more part is chunks now; the last one fixes the total.
UPDATE jobs SET
    split_parts = split_parts + 1,
    split_items = split_items + :items,
    total = CASE WHEN split_parts + 1 = parts THEN split_items + :items END
WHERE account_id = :account_id AND id = :id
RETURNING total, parallel;

-- name: unsplit()
-- Jobs that wait for a splitter.
SELECT account_id, id FROM jobs WHERE state IN ('queued', 'running') AND total IS NULL
ORDER BY accepted_at LIMIT 100;

-- name: lock_finished(account_id, id)^
-- The job, locked, if all its chunks have been applied and it has not ended; else no row.
SELECT j.stream, j.total, j.parallel FROM jobs j
WHERE j.account_id = :account_id AND j.id = :id AND j.state IN ('queued', 'running') AND j.total IS NOT NULL
  AND NOT EXISTS (SELECT FROM chunks c WHERE c.account_id = j.account_id AND c.job_id = j.id
                  AND c.state IN ('ready', 'running'))
FOR UPDATE OF j;

-- name: claim_finish(account_id, id, lease_seconds)^
-- Take the closing steps of a job whose chunks are all applied: one worker at a time, by lease. `overlaps`:
-- several chunks may have named one contact side by side. Where every contact was created they cannot have,
-- since the second chunk would have found it there.
UPDATE jobs j SET lease_until = now() + make_interval(secs => :lease_seconds)
WHERE j.account_id = :account_id AND j.id = :id AND j.state IN ('queued', 'running') AND j.total IS NOT NULL
  AND (j.lease_until IS NULL OR j.lease_until < now())
  AND NOT EXISTS (SELECT FROM chunks c WHERE c.account_id = j.account_id AND c.job_id = j.id
                  AND c.state IN ('ready', 'running'))
RETURNING j.operation, j.params, j.format, j.layout, j.parallel > 1 AND EXISTS (
    SELECT FROM chunks c WHERE c.account_id = j.account_id AND c.job_id = j.id
    AND c.updated + c.unchanged > 0) AS overlaps;

-- name: renew_finish(account_id, id, lease_seconds)!
UPDATE jobs SET lease_until = now() + make_interval(secs => :lease_seconds)
WHERE account_id = :account_id AND id = :id AND state IN ('queued', 'running');

-- name: end(account_id, id)^
-- The terminal state, with the counts frozen: those of the chunks, corrected by outcome_changes.
WITH applied AS (
    SELECT COALESCE(sum(created), 0) AS created, COALESCE(sum(updated), 0) AS updated,
        COALESCE(sum(unchanged), 0) AS unchanged, COALESCE(sum(merged), 0) AS merged,
        COALESCE(sum(skipped), 0) AS skipped, COALESCE(sum(failed), 0) AS failed
    FROM chunks WHERE account_id = :account_id AND job_id = :id AND state = 'done'
), moves AS (
    SELECT outcome AS what, 1 AS n FROM outcome_changes WHERE account_id = :account_id AND job_id = :id
    UNION ALL
    SELECT was, -1 FROM outcome_changes WHERE account_id = :account_id AND job_id = :id
), corrected AS (
    SELECT COALESCE(sum(n) FILTER (WHERE what = 1), 0) AS created,
        COALESCE(sum(n) FILTER (WHERE what = 2), 0) AS updated,
        COALESCE(sum(n) FILTER (WHERE what = 3), 0) AS unchanged,
        COALESCE(sum(n) FILTER (WHERE what = 4), 0) AS merged,
        COALESCE(sum(n) FILTER (WHERE what = 5), 0) AS skipped,
        COALESCE(sum(n) FILTER (WHERE what = 6), 0) AS failed
    FROM moves
)
UPDATE jobs j SET
    created = a.created + c.created, updated = a.updated + c.updated,
    unchanged = a.unchanged + c.unchanged, merged = a.merged + c.merged,
    skipped = a.skipped + c.skipped, failed = a.failed + c.failed,
    state = CASE WHEN a.failed + c.failed > 0 THEN 'completed_with_errors' ELSE 'completed' END,
    started_at = COALESCE(j.started_at, now()),
    finished_at = clock_timestamp(), lease_until = NULL, throttled_until = NULL
FROM applied a, corrected c
WHERE j.account_id = :account_id AND j.id = :id AND j.state IN ('queued', 'running')
RETURNING j.state, j.stream;

-- name: leave_stream(account_id, stream)!
UPDATE streams SET pending = pending - 1 WHERE account_id = :account_id AND stream = :stream;

-- name: unended()
-- Jobs whose chunks are all applied but that nobody is ending: a worker died in between.
SELECT j.account_id, j.id FROM jobs j
WHERE j.state IN ('queued', 'running') AND j.total IS NOT NULL
  AND (j.lease_until IS NULL OR j.lease_until < now())
  AND NOT EXISTS (SELECT FROM chunks c WHERE c.account_id = j.account_id AND c.job_id = j.id
                  AND c.state IN ('ready', 'running'))
LIMIT 100;

-- name: prune(days, size)$
-- Forget jobs that ended long ago, with all that hangs on them; how many went.
WITH old AS (
    SELECT account_id, id FROM jobs WHERE finished_at < now() - make_interval(days => :days)
    ORDER BY finished_at LIMIT :size FOR UPDATE SKIP LOCKED
), p AS (DELETE FROM parts x USING old WHERE x.account_id = old.account_id AND x.job_id = old.id),
   c AS (DELETE FROM chunks x USING old WHERE x.account_id = old.account_id AND x.job_id = old.id),
   o AS (DELETE FROM outcomes x USING old WHERE x.account_id = old.account_id AND x.job_id = old.id),
   h AS (DELETE FROM outcome_changes x USING old WHERE x.account_id = old.account_id AND x.job_id = old.id),
   e AS (DELETE FROM item_errors x USING old WHERE x.account_id = old.account_id AND x.job_id = old.id),
   j AS (DELETE FROM jobs x USING old WHERE x.account_id = old.account_id AND x.id = old.id RETURNING x.id)
SELECT count(*) FROM j;
