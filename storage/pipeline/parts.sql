-- name: next_part(account_id, id)^
-- The next part to split, under the job's lock; no row: another splitter is at it, or nothing is left.
SELECT j.format, j.layout, j.split_parts AS part, j.split_items AS first_index, j.parts, p.body,
    j.cancel_requested_at IS NOT NULL AS cancelled
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
RETURNING total, parallel, dry_run;

-- name: unsplit()
-- Jobs that wait for a splitter.
SELECT account_id, id FROM jobs WHERE state IN ('queued', 'running') AND total IS NULL
ORDER BY accepted_at LIMIT @jobs_a_round@;
