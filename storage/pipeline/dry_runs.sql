-- name: due()
-- Dry runs that may start, in the order of acceptance.
SELECT account_id, id AS job_id, token, lease_until FROM ready_dry_runs ORDER BY accepted_at LIMIT @candidates@;

-- name: claim(account_id, id, token, lease_seconds)^
-- Lease a dry run. The caller holds the turn of its account, so no claim of the account commits at the same time.
-- `died`: an earlier worker did not release it. No row: another worker has it, or it may not start any more.
WITH job AS (
    SELECT j.account_id, j.id, j.lease_until FROM jobs j
    WHERE j.account_id = :account_id AND j.id = :id AND NOT leased(j.lease_until)
      AND EXISTS (SELECT FROM ready_dry_runs r WHERE r.account_id = j.account_id AND r.id = j.id OFFSET 0)
    FOR UPDATE OF j SKIP LOCKED
)
UPDATE jobs j SET state = 'running', started_at = COALESCE(j.started_at, clock_timestamp()),
    token = :token, lease_until = now() + make_interval(secs => :lease_seconds)
FROM job
WHERE j.account_id = ANY (ARRAY[job.account_id]) AND j.id = job.id
RETURNING j.operation, j.params, j.format, j.layout, j.trace, job.lease_until IS NOT NULL AS died;

-- name: blame(account_id, id, max_deaths)$
-- Count a death of the first chunk without results, because the attempt failed at it. A chunk that has reached the
-- maximum is cut into halves with one attempt left each, until the bad item is alone. Null: all chunks have results.
WITH chunk AS (
    SELECT *, deaths + 1 >= :max_deaths AND items > 1 AS halved FROM chunks
    WHERE account_id = :account_id AND job_id = :id AND state = 'ready'
    ORDER BY first_index LIMIT 1 FOR UPDATE
), rest AS (
    INSERT INTO chunks (account_id, job_id, first_index, items, part, byte_start, byte_end, skip, token, deaths)
    SELECT account_id, job_id, first_index + items / 2, items - items / 2, part, byte_start, byte_end,
        skip + items / 2, token, :max_deaths - 1
    FROM chunk WHERE halved
)
UPDATE chunks c SET items = CASE WHEN chunk.halved THEN chunk.items / 2 ELSE chunk.items END,
    deaths = CASE WHEN chunk.halved THEN :max_deaths - 1 ELSE chunk.deaths + 1 END
FROM chunk
WHERE c.account_id = ANY (ARRAY[chunk.account_id]) AND c.job_id = chunk.job_id AND c.first_index = chunk.first_index
RETURNING true;

-- name: careful(account_id, id)$
-- Whether an attempt has died or failed at a chunk of the job.
SELECT EXISTS (SELECT FROM chunks WHERE account_id = :account_id AND job_id = :id AND deaths > 0);

-- name: take_chunks(account_id, id, token)!
-- Reset all chunks, and give them the token of this attempt, so that the fence stops what an earlier one still records.
UPDATE chunks SET state = 'ready', token = :token, created = 0, updated = 0, unchanged = 0, merged = 0,
    skipped = 0, failed = 0, added = 0, removed = 0
WHERE account_id = :account_id AND job_id = :id;

-- name: forget(account_id, id)!
-- Delete what an earlier attempt has recorded, except the groups of errors: see forget_errors. Run after `take_chunks`, which
-- waits until a record commits.
WITH o AS (DELETE FROM outcomes WHERE account_id = :account_id AND job_id = :id),
     h AS (DELETE FROM outcome_changes WHERE account_id = :account_id AND job_id = :id),
     n AS (DELETE FROM error_counts WHERE account_id = :account_id AND job_id = :id)
DELETE FROM item_errors WHERE account_id = :account_id AND job_id = :id;

-- name: in_flight(account_id)$
-- Whether anything else of the account is being applied or finished.
SELECT EXISTS (SELECT FROM chunks WHERE account_id = :account_id AND state = 'running') OR EXISTS (
    SELECT FROM jobs
    WHERE (account_id = :account_id) IS TRUE AND state IN ('queued', 'running') AND lease_until IS NOT NULL
      AND NOT dry_run AND leased(lease_until));

-- name: next_chunk(account_id, id, token, after)^
-- The first chunk after the given index, with its bytes. No row: there is none, the rest is cancelled, or another
-- attempt has begun.
SELECT c.first_index, c.items, c.skip, c.deaths,
    substring(p.body FROM c.byte_start + 1 FOR c.byte_end - c.byte_start) AS body
FROM chunks c
JOIN parts p ON p.account_id = c.account_id AND p.job_id = c.job_id AND p.part = c.part
WHERE c.account_id = :account_id AND c.job_id = :id AND c.first_index > :after AND c.state = 'ready'
  AND c.token = :token
ORDER BY c.first_index
LIMIT 1;

-- name: fence(account_id, id, first_index, items, token)$
-- Lock the chunk and return true if this attempt is the newest. Null: another attempt has begun, or the chunk is
-- cancelled.
SELECT true FROM chunks
WHERE account_id = :account_id AND job_id = :id AND first_index = :first_index AND items = :items
  AND token = :token AND state = 'ready'
FOR UPDATE;

-- name: renew(account_id, id, token, lease_seconds)!
-- Renew the lease of a dry run, if this attempt is the newest.
UPDATE jobs SET lease_until = now() + make_interval(secs => :lease_seconds)
WHERE account_id = :account_id AND id = :id AND state = 'running' AND token = :token;

-- name: release(account_id, id, token)$
-- Release a dry run, if this attempt is the newest. Null: another attempt has begun.
UPDATE jobs SET lease_until = NULL, token = NULL
WHERE account_id = :account_id AND id = :id AND state = 'running' AND token = :token
RETURNING id;

-- name: lock(account_id, id, token)$
-- Lock the job if it has not ended and this attempt is the newest.
SELECT true FROM jobs WHERE account_id = :account_id AND id = :id AND state = 'running' AND token = :token FOR UPDATE;

-- name: complete(account_id, id, token)$
-- Whether this attempt has recorded every chunk. The caller has locked the job.
SELECT NOT EXISTS (
    SELECT FROM chunks WHERE account_id = :account_id AND job_id = :id
    AND (state <> 'done' OR token <> :token));

-- name: hide_created(account_id, id)
-- Remove the ids of contacts that the dry run created from the results, because these contacts do not exist.
WITH created AS (
    SELECT FROM chunks WHERE account_id = :account_id AND job_id = :id AND created > 0
), hidden AS (
    UPDATE outcomes o SET contact_ids = ARRAY(
        SELECT c.id
        FROM unnest(o.contact_ids) WITH ORDINALITY u (contact_id, position)
        LEFT JOIN LATERAL (
            SELECT id FROM contacts WHERE account_id = :account_id AND id BETWEEN u.contact_id AND u.contact_id
            ORDER BY id OFFSET 0
        ) c ON true
        ORDER BY u.position)
    WHERE o.account_id = :account_id AND o.job_id = :id AND EXISTS (SELECT FROM created)
    RETURNING 1
), corrected AS (
    UPDATE outcome_changes h SET contact_id = (
        SELECT id FROM contacts WHERE account_id = :account_id AND id BETWEEN h.contact_id AND h.contact_id ORDER BY id)
    WHERE h.account_id = :account_id AND h.job_id = :id AND EXISTS (SELECT FROM created)
    RETURNING 1
)
SELECT (SELECT count(*) FROM hidden) + (SELECT count(*) FROM corrected) AS changes;
