-- name: unended(account_id, at)^
-- The jobs and resumable uploads of an account that were there at a time, and whose bytes are still stored: nobody looks into
-- these. A body of a job is deleted when the job has ended.
SELECT (
    SELECT count(*)::int FROM (
        SELECT FROM jobs j WHERE j.account_id = :account_id AND j.state IN ('queued', 'running') AND j.stream_position > 0
          AND j.received_at <= :at OFFSET 0) accepted
) + (
    SELECT count(*)::int FROM (
        SELECT lease_until FROM jobs j WHERE j.account_id = :account_id AND j.state = 'receiving' AND j.received_at <= :at
        ORDER BY j.lease_until OFFSET 0) arriving
) AS jobs, (
    SELECT count(*)::int FROM resumable_uploads u
    WHERE u.account_id = :account_id AND u.has_pieces AND u.created_at <= :at
) AS uploads;

-- name: errors(account_id, job_id, item_index, rows)
-- Failed items of an account after one of them, in the order of their key, with the region of their job: at most `rows`, and
-- @page_bytes@ bytes, but at least one if there is any.
SELECT m.job_id, m.item_index, m.ref, m.field, m.code, m.message, m.value, m.item, (
    SELECT j.params ->> 'region' FROM jobs j WHERE j.account_id = :account_id AND j.id = m.job_id OFFSET 0) AS region
FROM (
    SELECT e.*, row_number() OVER (ORDER BY e.job_id, e.item_index) AS place,
        sum(octet_length(e.item::text) + COALESCE(octet_length(e.value::text), 0)) OVER (ORDER BY e.job_id, e.item_index) AS bytes
    FROM (
        SELECT job_id, item_index, ref, field, code, message, value, item FROM item_errors
        WHERE account_id = :account_id AND (job_id, item_index) > (:job_id::uuid, :item_index::int)
        ORDER BY job_id, item_index LIMIT :rows
    ) e
) m
WHERE m.bytes <= @page_bytes@ OR m.place = 1 OR m.bytes IS NULL
ORDER BY m.job_id, m.item_index;

-- name: erase_errors(account_id, job_ids, item_indexes)!
-- Erase what failed items say. Their codes and fields stay, so that counts and groups do.
UPDATE item_errors e SET ref = NULL, message = '@erased@', value = NULL, item = NULL
FROM unnest(:job_ids::uuid[], :item_indexes::int[]) w (job_id, item_index)
WHERE e.account_id = ANY (ARRAY[:account_id::bigint]) AND e.job_id = w.job_id AND e.item_index = w.item_index;

-- name: kept_part(account_id, job_id, part)^
-- The next kept part after one, in the order of their key, with what is needed to read it. No row: there are no more.
SELECT k.job_id, k.part, k.body, j.layout, j.params ->> 'region' AS region
FROM (
    SELECT job_id, part, body FROM kept_parts
    WHERE account_id = :account_id AND (job_id, part) > (:job_id::uuid, :part::int)
    ORDER BY job_id, part LIMIT 1
) k
CROSS JOIN LATERAL (SELECT layout, params FROM jobs o WHERE o.account_id = :account_id AND o.id = k.job_id OFFSET 0) j;

-- name: chunks_of_part(account_id, job_id, part, contact_id)
-- The chunks of a part, with the places (from 1) of the items that named the contact.
SELECT c.first_index, c.items, c.skip, c.byte_start, c.byte_end, (
    SELECT array_positions(o.contact_ids, :contact_id::bigint) FROM outcomes o
    WHERE o.account_id = :account_id AND o.job_id = c.job_id AND o.first_index = c.first_index OFFSET 0) AS places
FROM chunks c
WHERE c.account_id = :account_id AND c.job_id = :job_id AND c.part = :part
ORDER BY c.first_index;

-- name: rewrite_kept_part(account_id, job_id, part, body)!
UPDATE kept_parts SET body = :body WHERE account_id = :account_id AND job_id = :job_id AND part = :part;

-- name: results(account_id, job_id, first_index, contact_id, rows)
-- Of the results of the next `rows` chunks after one, in the order of their key, those of the contact. Without any, one row
-- without an index. `last_job` and `last_index` are the last of the chunks. No row: there are no more.
WITH looked AS MATERIALIZED (
    SELECT job_id, first_index, contact_ids, outcomes FROM outcomes
    WHERE account_id = :account_id AND (job_id, first_index) > (:job_id::uuid, :first_index::int)
    ORDER BY job_id, first_index LIMIT :rows
), last AS (
    SELECT job_id AS last_job, first_index AS last_index FROM looked ORDER BY job_id DESC, first_index DESC LIMIT 1
)
SELECT last.*, n.job_id, n.item_index, COALESCE((
    SELECT h.outcome FROM outcome_changes h
    WHERE h.account_id = :account_id AND h.job_id = n.job_id AND h.item_index = n.item_index), n.outcome) AS outcome
FROM last LEFT JOIN LATERAL (
    SELECT l.job_id, l.first_index + u.place::int - 1 AS item_index, u.outcome
    FROM looked l CROSS JOIN LATERAL unnest(l.contact_ids, l.outcomes) WITH ORDINALITY u (contact_id, outcome, place)
    WHERE u.contact_id = :contact_id
) n ON true
ORDER BY n.job_id, n.item_index;

-- name: changes(account_id, contact_id)
-- The recorded changes of a contact.
SELECT applied, fields FROM contact_changes WHERE account_id = :account_id AND contact_id = :contact_id ORDER BY applied;

-- name: forget_changes(account_id, contact_id)!
DELETE FROM contact_changes WHERE account_id = :account_id AND contact_id = :contact_id;

-- name: ended_with_parts(account_id)$
-- A job of the account that has ended, or was deleted, and whose parts are still stored. Every job with parts costs one look-up.
WITH RECURSIVE stored AS (
    (SELECT job_id FROM parts WHERE account_id = :account_id ORDER BY job_id LIMIT 1)
    UNION ALL
    SELECT following.job_id
    FROM stored s
    CROSS JOIN LATERAL (
        SELECT job_id FROM parts WHERE account_id = :account_id AND job_id > s.job_id ORDER BY job_id LIMIT 1
    ) following
)
SELECT s.job_id FROM stored s
WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.account_id = :account_id AND j.id = s.job_id AND j.finished_at IS NULL OFFSET 0)
LIMIT 1;
