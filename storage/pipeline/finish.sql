-- name: claim(account_id, id, token, lease_seconds)^
-- Lease the finish of a job whose chunks are all applied or cancelled, for one worker at a time. A dry run is leased
-- only if it was stopped (cancelled, or failed as a whole); otherwise the worker that runs it ends it. A job that was
-- not stopped waits while a dry run of the account is running. `overlaps`: chunks that ran in parallel may name the
-- same contact. This is impossible if every contact was created, because a second chunk would have found the contact.
-- The item errors are returned in case that the worker that stored one too many has died. An expired lease is not taken
-- over: `free` ends it, and counts.
WITH counted AS (
    SELECT COALESCE(sum(errors), 0)::bigint AS errors, COALESCE(sum(items), 0)::bigint AS items FROM error_counts
    WHERE account_id = :account_id AND job_id = :id
)
UPDATE jobs j SET lease_until = now() + make_interval(secs => :lease_seconds), token = :token
FROM counted
WHERE j.account_id = :account_id AND j.id = :id AND j.state IN ('queued', 'running') AND j.total IS NOT NULL
  AND j.lease_until IS NULL AND NOT delayed(j.retry_at)
  AND (j.cancel_requested_at IS NOT NULL OR j.error_code IS NOT NULL OR NOT j.dry_run
       AND NOT EXISTS (SELECT FROM running_dry_runs r WHERE r.account_id = j.account_id OFFSET 0))
  AND NOT EXISTS (SELECT FROM chunks c WHERE c.account_id = j.account_id AND c.job_id = j.id AND c.state = 'ready' OFFSET 0)
  AND NOT EXISTS (SELECT FROM chunks c WHERE c.account_id = j.account_id AND c.job_id = j.id AND c.state = 'running' OFFSET 0)
RETURNING j.operation, j.params, j.format, j.layout, j.dry_run, j.trace, j.error_code, counted.errors, counted.items AS counted_items,
    j.parallel > 1 AND EXISTS (SELECT FROM chunks c WHERE c.account_id = j.account_id AND c.job_id = j.id
                               AND c.updated + c.unchanged > 0 OFFSET 0) AS overlaps,
    j.cancel_requested_at IS NOT NULL AND (j.split_parts < j.parts OR EXISTS (
        SELECT FROM chunks c WHERE c.account_id = j.account_id AND c.job_id = j.id
        AND c.state = 'cancelled' OFFSET 0)) AS cancelled;

-- name: stop(account_id, id, token, error_code, error_message)!
-- Record why a job is stopped, if this claim still holds its finish and it was not stopped for another reason.
UPDATE jobs SET error_code = :error_code, error_message = :error_message
WHERE account_id = :account_id AND id = :id AND token = :token AND state IN ('queued', 'running') AND error_code IS NULL;

-- name: lock_finished(account_id, id, token, error_code)^
-- Lock the job if all its chunks are applied or cancelled, it has not ended, and this claim still holds its finish.
-- No row otherwise.
SELECT j.id FROM jobs j
WHERE j.account_id = :account_id AND j.id = :id AND j.state IN ('queued', 'running') AND j.total IS NOT NULL
  AND j.token = :token AND j.error_code IS NOT DISTINCT FROM :error_code
  AND NOT EXISTS (SELECT FROM chunks c WHERE c.account_id = j.account_id AND c.job_id = j.id AND c.state = 'ready' OFFSET 0)
  AND NOT EXISTS (SELECT FROM chunks c WHERE c.account_id = j.account_id AND c.job_id = j.id AND c.state = 'running' OFFSET 0)
FOR UPDATE OF j;

-- name: renew(account_id, id, token, lease_seconds)!
UPDATE jobs SET lease_until = now() + make_interval(secs => :lease_seconds)
WHERE account_id = :account_id AND id = :id AND token = :token AND state IN ('queued', 'running');

-- name: release(account_id, id, token)!
UPDATE jobs SET lease_until = NULL, token = NULL
WHERE account_id = :account_id AND id = :id AND token = :token AND state IN ('queued', 'running');

-- name: expired()
-- The leases of finishes that have expired, also those of dry runs that were stopped meanwhile. Rows that a transaction
-- has locked to end the job are skipped.
SELECT account_id, id AS job_id, token, lease_until FROM jobs
WHERE state IN ('queued', 'running') AND lease_until IS NOT NULL AND NOT leased(lease_until)
  AND (NOT dry_run OR cancel_requested_at IS NOT NULL OR error_code IS NOT NULL)
FOR NO KEY UPDATE SKIP LOCKED;

-- name: free(account_ids, ids, tokens, ends)
-- Release the finishes of dead workers, if their leases are still the same, and count a failure for each.
WITH dead AS (
    SELECT d.account_id, d.id
    FROM unnest(:account_ids::bigint[], :ids::uuid[], :tokens::bigint[], :ends::timestamptz[])
        d (account_id, id, token, lease_until)
    CROSS JOIN LATERAL (
        SELECT FROM jobs
        WHERE account_id = d.account_id AND id = d.id
          AND (token = d.token AND lease_until = d.lease_until AND state IN ('queued', 'running')) IS TRUE
        OFFSET 0 FOR UPDATE SKIP LOCKED
    ) j
)
UPDATE jobs j SET lease_until = NULL, token = NULL, failures = LEAST(j.failures + 1, @most_failures@)
FROM dead WHERE j.account_id = ANY (ARRAY[dead.account_id]) AND j.id = dead.id
RETURNING j.account_id, j.id AS job_id, j.failures;

-- name: end(account_id, id, added, removed)^
-- Set the terminal state and store the final counts: the sums over the chunks, corrected by outcome_changes, plus the
-- memberships that the closing step added and removed. A job that was stopped before all its parts were split has a
-- smaller total, but its state shows it. No row: the job has already ended.
WITH applied AS (
    SELECT COALESCE(sum(created), 0) AS created, COALESCE(sum(updated), 0) AS updated,
        COALESCE(sum(unchanged), 0) AS unchanged, COALESCE(sum(merged), 0) AS merged,
        COALESCE(sum(skipped), 0) AS skipped, COALESCE(sum(failed), 0) AS failed,
        COALESCE(sum(items) FILTER (WHERE state = 'cancelled'), 0) AS cancelled,
        COALESCE(sum(added), 0) AS added, COALESCE(sum(removed), 0) AS removed
    FROM chunks WHERE account_id = :account_id AND job_id = :id
), moves AS (
    SELECT outcome AS what, 1 AS n FROM outcome_changes WHERE account_id = :account_id AND job_id = :id
    UNION ALL
    SELECT was, -1 FROM outcome_changes WHERE account_id = :account_id AND job_id = :id
), corrected AS (
    SELECT COALESCE(sum(n) FILTER (WHERE what = @outcome.created@), 0) AS created,
        COALESCE(sum(n) FILTER (WHERE what = @outcome.updated@), 0) AS updated,
        COALESCE(sum(n) FILTER (WHERE what = @outcome.unchanged@), 0) AS unchanged,
        COALESCE(sum(n) FILTER (WHERE what = @outcome.merged@), 0) AS merged,
        COALESCE(sum(n) FILTER (WHERE what = @outcome.skipped@), 0) AS skipped,
        COALESCE(sum(n) FILTER (WHERE what = @outcome.failed@), 0) AS failed
    FROM moves
)
UPDATE jobs j SET
    created = a.created + c.created, updated = a.updated + c.updated,
    unchanged = a.unchanged + c.unchanged, merged = a.merged + c.merged,
    skipped = a.skipped + c.skipped, failed = a.failed + c.failed, cancelled = a.cancelled,
    added = a.added + :added, removed = a.removed + :removed,
    state = CASE WHEN j.error_code = '@max_errors_exceeded@' THEN 'cancelled'
                 WHEN j.error_code IS NOT NULL THEN 'failed'
                 WHEN a.cancelled > 0 OR j.split_parts < j.parts THEN 'cancelled'
                 WHEN a.failed + c.failed > 0 THEN 'completed_with_errors'
                 ELSE 'completed' END,
    started_at = COALESCE(j.started_at, CASE WHEN a.cancelled = 0 THEN now() END),
    finished_at = clock_timestamp(), lease_until = NULL, token = NULL, throttled_until = NULL,
    failures = 0, retry_at = NULL
FROM applied a, corrected c
WHERE j.account_id = :account_id AND j.id = :id AND j.state IN ('queued', 'running')
RETURNING j.state, j.stream, j.stream_position AS position, j.failed;

-- name: merge_errors(account_id, id)!
-- Merge the rows of error_groups of a job that has ended, so that a page of it reads few.
WITH summary AS MATERIALIZED (
    SELECT * FROM summarise_errors(:account_id, :id)
), gone AS (
    DELETE FROM error_groups WHERE account_id = :account_id AND job_id = :id RETURNING 1
)
INSERT INTO error_groups (account_id, job_id, first_index, code, field, errors, examples)
SELECT :account_id, :id, s.first_index, s.code, s.field, s.errors, s.examples
FROM summary s CROSS JOIN (SELECT count(*) AS rows FROM gone) g WHERE g.rows > 0;

-- name: end_small(account_ids, ids, recorded)
-- As `end` and `leave`, for jobs whose only chunk is applied or cancelled. Their parts are deleted, too.
SELECT * FROM end_small_jobs(:account_ids, :ids, :recorded);

-- name: leave(account_ids, streams, positions, recorded)
-- Leave the streams and the turns of the jobs that the statement before has ended.
SELECT * FROM leave_jobs(:account_ids, :streams, :positions, :recorded);

-- name: cancelled_small()
-- Lock cancelled jobs whose only chunk is cancelled, for `end_small`; those that a worker is finishing are left out.
SELECT j.account_id, j.id FROM jobs j
WHERE j.state IN ('queued', 'running') AND j.total IS NOT NULL AND j.lease_until IS NULL AND j.throttled_until IS NULL
  AND j.cancel_requested_at IS NOT NULL AND j.error_code IS NULL AND NOT j.dry_run AND NOT delayed(j.retry_at)
  AND EXISTS (SELECT FROM chunks c WHERE c.account_id = j.account_id AND c.job_id = j.id AND c.first_index = 0
              AND c.state = 'cancelled' AND c.items = j.total OFFSET 0)
ORDER BY j.retry_at NULLS FIRST
LIMIT @cancelled_together@
FOR UPDATE OF j SKIP LOCKED;

-- name: start(account_ids, ids)!
-- Mark jobs as running that were claimed behind an earlier one. `unended` does not find them while they are queued.
UPDATE jobs j SET state = 'running', started_at = COALESCE(j.started_at, clock_timestamp())
FROM unnest(:account_ids::bigint[], :ids::uuid[]) e (account_id, id)
WHERE j.account_id = ANY (ARRAY[e.account_id]) AND j.id = e.id AND (j.state = 'queued') IS TRUE;

-- name: unended()
-- Jobs whose chunks are all applied or cancelled, that no worker is finishing and nobody has locked. Those that were
-- never delayed come first, then those that were tried least recently, so that jobs that cannot be finished hide no
-- others. A job that is queued and not stopped has a chunk that is not applied, unless it is empty; so has one that waits
-- for its window. The index jobs_unended leaves them out.
SELECT j.account_id, j.id FROM jobs j
WHERE j.state IN ('queued', 'running') AND j.total IS NOT NULL AND j.lease_until IS NULL AND j.throttled_until IS NULL
  AND (j.state = 'running' OR j.cancel_requested_at IS NOT NULL OR j.error_code IS NOT NULL OR j.total = 0)
  AND NOT delayed(j.retry_at)
  AND (j.cancel_requested_at IS NOT NULL OR j.error_code IS NOT NULL OR NOT j.dry_run
       AND NOT EXISTS (SELECT FROM running_dry_runs r WHERE r.account_id = j.account_id OFFSET 0))
  AND NOT EXISTS (SELECT FROM chunks c WHERE c.account_id = j.account_id AND c.job_id = j.id AND c.state = 'ready' OFFSET 0)
  AND NOT EXISTS (SELECT FROM chunks c WHERE c.account_id = j.account_id AND c.job_id = j.id AND c.state = 'running' OFFSET 0)
ORDER BY j.retry_at NULLS FIRST
LIMIT @jobs_a_round@
FOR NO KEY UPDATE OF j SKIP LOCKED;
