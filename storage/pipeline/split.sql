-- name: next_part(account_id, id)^
-- Lock the job and return its next part to split; `body` is null if the part is missing. No row: another worker is
-- splitting the job, no part is left, or an error of ours delays the job.
SELECT j.format, j.layout, j.split_parts AS part, j.split_items AS first_index, j.parts, p.body,
    j.cancel_requested_at IS NOT NULL AS cancelled, j.trace
FROM jobs j
LEFT JOIN parts p ON p.account_id = j.account_id AND p.job_id = j.id AND p.part = j.split_parts
WHERE j.account_id = :account_id AND j.id = :id AND j.state IN ('queued', 'running') AND j.total IS NULL
  AND NOT delayed(j.retry_at)
FOR UPDATE OF j SKIP LOCKED;

-- name: record(account_id, id, items)^
-- Record that a part was split. The last part sets the total.
UPDATE jobs SET failures = 0, retry_at = NULL,
    split_parts = split_parts + 1,
    split_items = split_items + :items,
    total = CASE WHEN split_parts + 1 = parts THEN split_items + :items END
WHERE account_id = :account_id AND id = :id
RETURNING total, parallel, dry_run;

-- name: unsplit()
-- Jobs that have parts to split, if nothing delays them and nobody has locked them. Those that were never delayed come
-- first, then those that were tried least recently, so that jobs that cannot be split hide no others.
SELECT account_id, id FROM jobs
WHERE state IN ('queued', 'running') AND total IS NULL AND NOT delayed(retry_at)
ORDER BY retry_at NULLS FIRST, accepted_at LIMIT @jobs_a_round@
FOR NO KEY UPDATE SKIP LOCKED;
