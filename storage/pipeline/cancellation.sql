-- name: look(account_id, id)^
-- How a job stands, without a lock. `open`: some of it may still be cancelled.
SELECT j.state, j.total IS NULL AS unsplit, j.total IS NULL OR EXISTS (
    SELECT FROM chunks c WHERE c.account_id = j.account_id AND c.job_id = j.id
    AND c.state IN ('ready', 'running')) AS open
FROM jobs j WHERE j.account_id = :account_id AND j.id = :id;

-- name: cancel_upload(account_id, id)$
-- An upload ends at once, and its idempotency key is free. Null: the job is no upload any more.
UPDATE jobs SET state = 'cancelled', total = 0, idempotency_key = NULL, lease_until = NULL,
    cancel_requested_at = now(), finished_at = now()
WHERE account_id = :account_id AND id = :id AND state = 'receiving'
RETURNING id;

-- name: request(account_id, id)^
-- Under the account's turn: the cancellation is noted on the job. No row: it has ended. `throttled`: it was
-- waiting for the window.
WITH job AS (
    SELECT id, throttled_until FROM jobs
    WHERE account_id = :account_id AND id = :id AND state IN ('queued', 'running') FOR UPDATE
)
UPDATE jobs j SET cancel_requested_at = COALESCE(j.cancel_requested_at, now()), throttled_until = NULL
FROM job WHERE j.account_id = :account_id AND j.id = job.id
RETURNING job.throttled_until IS NOT NULL AS throttled;

-- name: cancel_chunks(account_id, id)!
-- The chunks that are not applied yet, with the results of their items. One that is being applied is waited
-- for, found done and left; one that is leased, and not yet in its transaction, meets the fence.
WITH cancelled AS (
    UPDATE chunks SET state = 'cancelled', worker_id = NULL, lease_until = NULL
    WHERE account_id = :account_id AND job_id = :id AND state IN ('ready', 'running')
    RETURNING account_id, job_id, first_index, items
)
INSERT INTO outcomes (account_id, job_id, first_index, outcomes, contact_ids)
SELECT account_id, job_id, first_index, array_fill(@outcome.cancelled@::smallint, ARRAY[items]), array_fill(NULL::bigint, ARRAY[items])
FROM cancelled;
