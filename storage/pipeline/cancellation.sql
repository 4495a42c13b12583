-- name: look(account_id, id)^
-- The state of a job, without a lock. `open`: parts or chunks are left that can be cancelled.
SELECT j.state, j.total IS NULL AS unsplit, j.total IS NULL
    OR EXISTS (SELECT FROM chunks c WHERE c.account_id = j.account_id AND c.job_id = j.id AND c.state = 'ready' OFFSET 0)
    OR EXISTS (SELECT FROM chunks c WHERE c.account_id = j.account_id AND c.job_id = j.id AND c.state = 'running' OFFSET 0)
    AS open
FROM jobs j WHERE j.account_id = :account_id AND j.id = :id;

-- name: cancel_upload(account_id, id, caller)$
-- End an upload at once and free its idempotency key. `caller`: who cancels it; null: unknown. Returns its operation. Null: the job is not an upload any more.
UPDATE jobs SET state = 'cancelled', total = 0, idempotency_key = NULL, lease_until = NULL,
    cancel_requested_at = now(), finished_at = now(), cancelled_by = :caller::jsonb || jsonb_build_object('at', now())
WHERE account_id = :account_id AND id = :id AND state = 'receiving'
RETURNING operation;

-- name: request(account_id, id, caller)^
-- Record the cancellation on the job, with the first caller, and end its delay after an error of ours. The caller holds the account's turn.
-- No row: the job has ended. `throttled`: the job was waiting for the window.
WITH job AS (
    SELECT account_id, id, throttled_until FROM jobs
    WHERE account_id = :account_id AND id = :id AND state IN ('queued', 'running') FOR UPDATE
)
UPDATE jobs j SET cancel_requested_at = COALESCE(j.cancel_requested_at, now()), throttled_until = NULL, retry_at = NULL,
    cancelled_by = COALESCE(j.cancelled_by, :caller::jsonb || jsonb_build_object('at', now()))
FROM job WHERE j.account_id = ANY (ARRAY[job.account_id]) AND j.id = job.id
RETURNING job.throttled_until IS NOT NULL AS throttled;

-- name: request_many(account_id, ids, caller)
-- As `request`, for those of the jobs that are queued and that nobody has locked.
WITH job AS (
    SELECT j.account_id, j.id, j.throttled_until
    FROM unnest(:ids::uuid[]) i (id)
    CROSS JOIN LATERAL (
        SELECT account_id, id, throttled_until FROM jobs
        WHERE account_id = :account_id AND id = i.id AND (state = 'queued') IS TRUE
        OFFSET 0 FOR UPDATE SKIP LOCKED
    ) j
)
UPDATE jobs j SET cancel_requested_at = COALESCE(j.cancel_requested_at, now()), throttled_until = NULL, retry_at = NULL,
    cancelled_by = COALESCE(j.cancelled_by, :caller::jsonb || jsonb_build_object('at', now()))
FROM job WHERE j.account_id = ANY (ARRAY[job.account_id]) AND j.id = job.id
RETURNING j.id, job.throttled_until IS NOT NULL AS throttled, j.total IS NULL AS unsplit;

-- name: stop(account_id, id, error_code, error_message)^
-- As `request`, with a reason, for a job that was not stopped before.
WITH job AS (
    SELECT account_id, id, throttled_until FROM jobs
    WHERE account_id = :account_id AND id = :id AND state IN ('queued', 'running')
      AND error_code IS NULL AND cancel_requested_at IS NULL
    FOR UPDATE
)
UPDATE jobs j SET cancel_requested_at = now(), error_code = :error_code, error_message = :error_message,
    throttled_until = NULL, retry_at = NULL
FROM job WHERE j.account_id = ANY (ARRAY[job.account_id]) AND j.id = job.id
RETURNING job.throttled_until IS NOT NULL AS throttled;

-- name: fail(account_id, id, error_code, error_message, replace)^
-- Record on the job that it failed as a whole, or that its cancellation cannot split more parts. The total is what
-- was split by then. The caller holds the account's turn. No row: the job has ended, or has an error that is not to be
-- replaced. The reason of a cancellation stays.
WITH job AS (
    SELECT account_id, id, throttled_until FROM jobs
    WHERE account_id = :account_id AND id = :id AND state IN ('queued', 'running')
      AND (error_code IS NULL OR total IS NULL OR :replace AND error_code <> :error_code)
    FOR UPDATE
)
UPDATE jobs j SET total = COALESCE(j.total, j.split_items), throttled_until = NULL, retry_at = NULL, failures = 0,
    error_code = CASE WHEN j.cancel_requested_at IS NULL OR j.total IS NOT NULL THEN :error_code ELSE j.error_code END,
    error_message = CASE WHEN j.cancel_requested_at IS NULL OR j.total IS NOT NULL THEN :error_message
                         ELSE j.error_message END
FROM job WHERE j.account_id = ANY (ARRAY[job.account_id]) AND j.id = job.id
RETURNING job.throttled_until IS NOT NULL AS throttled;

-- name: cancel_chunks(account_id, id)!
-- Cancel the chunks that are not applied yet and write the results of their items. If a chunk is being applied, the
-- statement waits for it and leaves it as done. If a chunk is leased and its transaction has not begun, its fence
-- stops it.
WITH cancelled AS (
    UPDATE chunks SET state = 'cancelled', worker_id = NULL, lease_until = NULL
    WHERE account_id = :account_id AND job_id = :id AND state IN ('ready', 'running')
    RETURNING account_id, job_id, first_index, items
)
INSERT INTO outcomes (account_id, job_id, first_index, outcomes, contact_ids)
SELECT account_id, job_id, first_index, array_fill(@outcome.cancelled@::smallint, ARRAY[items]), array_fill(NULL::bigint, ARRAY[items])
FROM cancelled;
