-- name: view(account_id, id)^
-- A job as a client sees it.
SELECT * FROM job_views WHERE account_id = :account_id AND id = :id;

-- name: views(account_id, ids)
-- Jobs as a client sees them, newest first.
SELECT * FROM job_views WHERE account_id = :account_id AND id = ANY (:ids::uuid[]) ORDER BY id DESC;

-- name: state(account_id, id)$
SELECT state FROM jobs WHERE account_id = :account_id AND id = :id;

-- name: shape(account_id, id)^
SELECT operation, layout FROM jobs WHERE account_id = :account_id AND id = :id;

-- name: parent(account_id, id)^
-- The job to retry.
SELECT operation, params, format, layout, parallel, dry_run, state, failed FROM jobs
WHERE account_id = :account_id AND id = :id;

-- name: page(account_id, state, operation, since, before, size)
-- Ids of the account's jobs, newest first. A null filter matches every job.
SELECT id FROM jobs
WHERE account_id = :account_id
  AND (:state::text IS NULL OR state = :state)
  AND (:operation::text IS NULL OR operation = :operation)
  AND (:since::timestamptz IS NULL OR received_at >= :since)
  AND id < COALESCE(:before::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
ORDER BY id DESC
LIMIT :size;
