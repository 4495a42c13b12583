-- name: next(account_id)^
-- The next chunk to claim of an account whose turn is locked: of its oldest job at the head of a stream.
SELECT n.job_id, n.first_index, c.items, c.deaths
FROM claimable n
JOIN chunks c ON c.account_id = n.account_id AND c.job_id = n.job_id AND c.first_index = n.first_index
WHERE n.account_id = :account_id
ORDER BY n.accepted_at
LIMIT 1;

-- name: lease(account_id, id, first_index, items, deaths, granted_at, worker_id, lease_seconds)^
-- Take the first `items` items of a ready chunk: the rest is a chunk of its own. One statement writes the
-- lease, the token, the grant and the turn, and reads the bytes. No row: the chunk is not ready any more.
WITH chunk AS MATERIALIZED (
    SELECT * FROM chunks
    WHERE account_id = :account_id AND job_id = :id AND first_index = :first_index AND state = 'ready'
    FOR UPDATE
), rest AS (
    INSERT INTO chunks (account_id, job_id, first_index, items, part, byte_start, byte_end, skip, deaths)
    SELECT account_id, job_id, first_index + :items, items - :items, part, byte_start, byte_end,
        skip + :items, :deaths
    FROM chunk WHERE items > :items
), leased AS (
    UPDATE chunks c SET state = 'running', items = :items, deaths = :deaths, token = c.token + 1,
        worker_id = :worker_id, lease_until = now() + make_interval(secs => :lease_seconds)
    FROM chunk
    WHERE c.account_id = chunk.account_id AND c.job_id = chunk.job_id AND c.first_index = chunk.first_index
    RETURNING c.*
), started AS (
    UPDATE jobs j SET state = 'running', started_at = COALESCE(j.started_at, clock_timestamp()),
        throttled_until = NULL
    FROM chunk
    WHERE j.account_id = chunk.account_id AND j.id = chunk.job_id
      AND (j.state = 'queued' OR j.throttled_until IS NOT NULL)
), granted AS (
    INSERT INTO grants AS g (account_id, at, items)
    SELECT :account_id, :granted_at::timestamptz, :items FROM chunk WHERE :granted_at::timestamptz IS NOT NULL
    ON CONFLICT (account_id, at) DO UPDATE SET items = g.items + excluded.items
), served AS (
    UPDATE account_turns t SET start_tag = t.virtual_time, virtual_time = t.virtual_time + :items,
        served_at = clock_timestamp()
    FROM chunk WHERE t.account_id = chunk.account_id
)
SELECT l.job_id, l.first_index, l.items, l.skip, l.token, l.deaths, j.operation, j.params, j.format, j.layout,
    substring(p.body FROM l.byte_start + 1 FOR l.byte_end - l.byte_start) AS body
FROM leased l
JOIN jobs j ON j.account_id = l.account_id AND j.id = l.job_id
JOIN parts p ON p.account_id = l.account_id AND p.job_id = l.job_id AND p.part = l.part;

-- name: fence(account_id, id, first_index, token)$
-- True, and the chunk locked, while this token is still the newest; null: taken over, done or cancelled.
SELECT true FROM chunks
WHERE account_id = :account_id AND job_id = :id AND first_index = :first_index
  AND token = :token AND state = 'running'
FOR UPDATE;

-- name: record(account_id, id, first_index, outcomes, contact_ids, merged_into, counts, error_indexes, refs, fields, codes, messages, values, items)$
-- The answers of a chunk: with its effect, in the same transaction. `counts` is created, updated,
-- unchanged, merged, skipped, failed. True: other chunks of the job are waiting to be claimed.
WITH answers AS (
    INSERT INTO outcomes (account_id, job_id, first_index, outcomes, contact_ids, merged_into)
    VALUES (:account_id, :id, :first_index, :outcomes::smallint[], :contact_ids::bigint[], :merged_into::int[])
), errors AS (
    INSERT INTO item_errors (account_id, job_id, item_index, ref, field, code, message, value, item)
    SELECT :account_id, :id, e.*
    FROM unnest(:error_indexes::int[], :refs::text[], :fields::text[], :codes::text[], :messages::text[],
                :values::json[], :items::json[]) e
)
UPDATE chunks SET state = 'done', worker_id = NULL, lease_until = NULL,
    created = (:counts::int[])[1], updated = (:counts::int[])[2], unchanged = (:counts::int[])[3],
    merged = (:counts::int[])[4], skipped = (:counts::int[])[5], failed = (:counts::int[])[6]
WHERE account_id = :account_id AND job_id = :id AND first_index = :first_index
RETURNING EXISTS (SELECT FROM chunks c WHERE c.account_id = :account_id AND c.job_id = :id AND c.state = 'ready');

-- name: release(account_id, id, first_index, token, deaths)!
-- Give a chunk back that could not be applied; `deaths` is 1 where the chunk may be to blame.
UPDATE chunks SET state = 'ready', deaths = deaths + :deaths, worker_id = NULL, lease_until = NULL
WHERE account_id = :account_id AND job_id = :id AND first_index = :first_index
  AND token = :token AND state = 'running';

-- name: renew(worker_id, lease_seconds)!
-- All leases of a worker at once. Rows that an apply holds at this moment are passed over: the reconciler
-- passes them over as well.
UPDATE chunks c SET lease_until = now() + make_interval(secs => :lease_seconds)
FROM (
    SELECT account_id, job_id, first_index FROM chunks WHERE worker_id = :worker_id AND state = 'running'
    FOR UPDATE SKIP LOCKED
) mine
WHERE c.account_id = mine.account_id AND c.job_id = mine.job_id AND c.first_index = mine.first_index;

-- name: free_expired(lease_seconds)
-- Chunks whose worker is gone are ready again, and the old token is worth nothing. Right after a restart of
-- PostgreSQL every lease looks expired: the living get the time to renew theirs first.
WITH expired AS (
    SELECT account_id, job_id, first_index FROM chunks
    WHERE state = 'running' AND lease_until < now()
      AND pg_postmaster_start_time() < now() - make_interval(secs => :lease_seconds)
    FOR UPDATE SKIP LOCKED
)
UPDATE chunks c SET state = 'ready', token = c.token + 1, deaths = c.deaths + 1, worker_id = NULL,
    lease_until = NULL
FROM expired e
WHERE c.account_id = e.account_id AND c.job_id = e.job_id AND c.first_index = e.first_index
RETURNING c.account_id, c.job_id, c.first_index, c.deaths, c.items;

-- name: recent_grants(account_id, since)
-- What the item window has granted since a moment of its own clock: its history after a flush.
SELECT at, items FROM grants WHERE account_id = :account_id AND at >= :since ORDER BY at;

-- name: prune_grants()!
-- Grants that no window can reach back to: the longest is a day.
DELETE FROM grants WHERE at < now() - interval '2 days';
