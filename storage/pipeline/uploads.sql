-- name: open(account_id, id, operation, params, stream, format, parallel, request_id, name, tags, file_name, dry_run, parent_id, submitted_by, idempotency_key, trace, lease_seconds)!
-- Store a job whose body is arriving; the api renews its lease. A job that exists stays as it is: this happens to an
-- upload that fails while it is being accepted.
INSERT INTO jobs (account_id, id, operation, params, stream, state, format, parallel, request_id, name, tags, file_name,
    dry_run, parent_id, submitted_by, idempotency_key, trace, lease_until)
VALUES (:account_id, :id, :operation, :params::jsonb, :stream, 'receiving', :format, :parallel, :request_id,
        :name, :tags, :file_name, :dry_run, :parent_id, :submitted_by::jsonb, :idempotency_key, :trace,
        now() + make_interval(secs => :lease_seconds))
ON CONFLICT (account_id, id) DO NOTHING;

-- name: by_idempotency_key(account_id, key)^
-- The request that uses this key. request_hash is null while the request is being received. An upload whose lease has
-- expired does not hold its key any more.
SELECT id AS job_id, request_hash FROM jobs
WHERE account_id = :account_id AND idempotency_key = :key AND received_at > now() - make_interval(hours => @idempotency_hours@)
  AND (request_hash IS NOT NULL OR (state = 'receiving' AND lease_until >= now()));

-- name: fail_expired(account_id, key, error_code, error_message)$
-- End the upload that uses this key if its lease has expired. Its process can then not accept it any more, should it
-- only have been stopped. Returns its operation. Null: there is none.
WITH failed AS (
    UPDATE jobs SET state = 'failed', idempotency_key = NULL, error_code = :error_code, error_message = :error_message, total = 0,
        lease_until = NULL, finished_at = now()
    WHERE account_id = :account_id AND idempotency_key = :key AND state = 'receiving' AND lease_until < now()
    RETURNING account_id, id, operation
), kept AS (
    DELETE FROM kept_parts k USING failed WHERE k.account_id = ANY (ARRAY[failed.account_id]) AND k.job_id = failed.id
), bytes AS (
    DELETE FROM parts p USING failed WHERE p.account_id = ANY (ARRAY[failed.account_id]) AND p.job_id = failed.id
)
SELECT operation FROM failed;

-- name: release_idempotency_key(account_id, key)!
-- Free the key if `by_idempotency_key` finds no request: after a day, or if its request was not accepted.
UPDATE jobs SET idempotency_key = NULL
WHERE account_id = :account_id AND idempotency_key = :key
  AND NOT (received_at > now() - make_interval(hours => @idempotency_hours@) AND (request_hash IS NOT NULL OR state = 'receiving'));

-- name: forget(account_id, id)!
DELETE FROM jobs WHERE account_id = :account_id AND id = :id AND state = 'receiving';

-- name: drop_parts(account_id, id)!
-- Delete the parts of an upload that failed or was cancelled, or whose job another attempt has replaced and deleted.
WITH alive AS MATERIALIZED (
    SELECT EXISTS (
        SELECT FROM jobs WHERE account_id = :account_id AND id = :id
          AND NOT (state IN ('failed', 'cancelled') AND accepted_at IS NULL)) AS yes
), kept AS (
    DELETE FROM kept_parts WHERE account_id = :account_id AND job_id = :id AND NOT (SELECT yes FROM alive)
)
DELETE FROM parts WHERE account_id = :account_id AND job_id = :id AND NOT (SELECT yes FROM alive);

-- name: add_part(account_id, id, part, body)!
INSERT INTO parts (account_id, job_id, part, body) VALUES (:account_id, :id, :part, :body);

-- name: keep_part(account_id, id, part, body)!
-- Store a part once more, for the results, in the transaction that stores it for the workers.
INSERT INTO kept_parts (account_id, job_id, part, body) VALUES (:account_id, :id, :part, :body);

-- name: stored(account_id, id)^
-- Number, highest number and bytes of the parts that are stored. The length of a body is read without its bytes. No row:
-- the job is not receiving any more.
SELECT count(p.part) AS parts, COALESCE(max(p.part), -1) AS last, COALESCE(sum(octet_length(p.body)), 0) AS bytes
FROM jobs j
LEFT JOIN parts p ON p.account_id = j.account_id AND p.job_id = j.id
WHERE j.account_id = :account_id AND j.id = :id AND j.state = 'receiving'
GROUP BY j.id;

-- name: accept(account_id, id, stream, layout, parallel, parts, bytes, total, request_hash)^
-- Accept the job: give it a position in its stream and activate the account's turn. `total` is null if a worker must
-- split the job. Returns its place; no row if the job is not receiving any more
-- (cancelled, or its lease expired).
WITH receiving AS MATERIALIZED (
    SELECT id FROM jobs WHERE account_id = :account_id AND id = :id AND state = 'receiving' FOR UPDATE
), place AS MATERIALIZED (
    SELECT e.* FROM receiving CROSS JOIN LATERAL enter_stream(:account_id, :stream, 1) e
)
UPDATE jobs SET
    state = 'queued', stream_position = place.last_position, layout = :layout::jsonb, parallel = :parallel,
    parts = :parts, bytes = :bytes, total = :total::int,
    split_parts = CASE WHEN :total::int IS NULL THEN 0 ELSE :parts END, split_items = COALESCE(:total::int, 0),
    request_hash = :request_hash::bytea, lease_until = NULL, accepted_at = clock_timestamp()
FROM place
WHERE account_id = :account_id AND id = :id
RETURNING place.pending - 1 AS ahead, received_at, accepted_at;

-- name: confirm(account_id, id)$
-- Return whether the job is stored, and wait until it is on disk. The message makes this a transaction that writes WAL, so
-- its commit waits for the disk, also for all earlier commits.
WITH flush AS MATERIALIZED (SELECT pg_logical_emit_message(true, 'bulklane', ''))
SELECT EXISTS (SELECT FROM jobs WHERE account_id = :account_id AND id = :id OFFSET 0) FROM flush;

-- name: fail(account_id, id, error_code, error_message, lease_until)$
-- End an upload that did not arrive completely as failed, and delete its parts. With a `lease_until`, only if its
-- lease is still the same. Returns its operation. Null: it is not receiving any more.
WITH failed AS (
    UPDATE jobs SET state = 'failed', idempotency_key = NULL, error_code = :error_code, error_message = :error_message, total = 0,
        lease_until = NULL, finished_at = now()
    WHERE account_id = :account_id AND id = :id AND state = 'receiving'
      AND lease_until = COALESCE(:lease_until::timestamptz, lease_until)
    RETURNING account_id, id, operation
), bytes AS (
    DELETE FROM parts p USING failed WHERE p.account_id = ANY (ARRAY[failed.account_id]) AND p.job_id = failed.id
), kept AS (
    DELETE FROM kept_parts k USING failed WHERE k.account_id = ANY (ARRAY[failed.account_id]) AND k.job_id = failed.id
)
SELECT operation FROM failed;

-- name: renew(account_ids, ids, lease_seconds)!
UPDATE jobs j SET lease_until = now() + make_interval(secs => :lease_seconds)
FROM unnest(:account_ids::bigint[], :ids::uuid[]) mine (account_id, id)
WHERE j.account_id = ANY (ARRAY[mine.account_id]) AND j.id = mine.id AND (j.state = 'receiving') IS TRUE;

-- name: expired(longest_seconds)
-- Uploads whose leases have expired: see `leased` in storage/schema/functions.
SELECT account_id, id AS job_id, lease_until FROM jobs
WHERE state = 'receiving'
  AND NOT (lease_until > now() AND lease_until < now() + make_interval(secs => :longest_seconds));

-- name: stored_bytes(account_id)$
-- The bytes of the unfinished jobs. Those of an upload are not in its row yet; octet_length reads no body. Resumable uploads
-- are included.
SELECT COALESCE((SELECT sum(q.bytes) FROM (
    SELECT bytes FROM jobs WHERE account_id = :account_id AND state IN ('queued', 'running') AND stream_position > 0
    ORDER BY stream, stream_position OFFSET 0) q), 0)::bigint
    + COALESCE((SELECT sum(p.bytes) FROM (
        SELECT id FROM jobs WHERE account_id = :account_id AND state = 'receiving' ORDER BY lease_until OFFSET 0
    ) j CROSS JOIN LATERAL (
        SELECT octet_length(body) AS bytes FROM parts WHERE account_id = :account_id AND job_id = j.id OFFSET 0
    ) p), 0)::bigint
    + COALESCE((SELECT sum(arrived) FROM resumable_uploads
        WHERE account_id = :account_id AND finished_at IS NULL AND expires_at > now()), 0)::bigint;

-- name: add_chunks(account_id, id, part, first_indexes, starts, ends, items)!
INSERT INTO chunks (account_id, job_id, part, first_index, byte_start, byte_end, items)
SELECT :account_id, :id, :part, r.*
FROM unnest(:first_indexes::int[], :starts::int[], :ends::int[], :items::int[]) r;
