-- name: actions(account_id, id, most)
-- What was done to a job and by whom, in the order of time, with the names of the keys: its submission, its cancellation, and
-- the jobs that retry and undo it, without dry runs of an undo, at most `most` of each. `at` of a job that was not accepted is
-- when its first byte came.
SELECT a.action, a.at, a.caller, a.job_id, k.name AS key_name
FROM (
    SELECT 'submitted' AS action, COALESCE(accepted_at, received_at) AS at, submitted_by AS caller, NULL::uuid AS job_id
    FROM jobs WHERE account_id = :account_id AND id = :id
    UNION ALL
    -- a job that an error has stopped was cancelled by nobody; one of an older release by somebody unknown
    SELECT 'cancelled', COALESCE((cancelled_by ->> 'at')::timestamptz, cancel_requested_at), cancelled_by, NULL
    FROM jobs WHERE account_id = :account_id AND id = :id
      AND (cancelled_by IS NOT NULL OR (cancel_requested_at IS NOT NULL AND error_code IS NULL))
    UNION ALL
    (SELECT 'retried', accepted_at, submitted_by, id
    FROM jobs WHERE parent_id = :id AND (account_id = :account_id) IS TRUE AND accepted_at IS NOT NULL
    ORDER BY id LIMIT :most)
    UNION ALL
    (SELECT 'undone', accepted_at, submitted_by, id
    FROM jobs WHERE params ->> 'undoes' = :id::uuid::text AND (account_id = :account_id) IS TRUE AND accepted_at IS NOT NULL AND NOT dry_run
    ORDER BY id LIMIT :most)
) a
LEFT JOIN LATERAL (
    SELECT name FROM api_keys WHERE account_id = :account_id AND id = a.caller ->> 'key_id' OFFSET 0
) k ON true
ORDER BY a.at, array_position(ARRAY['submitted', 'cancelled', 'retried', 'undone'], a.action), a.job_id;
