-- name: view(account_id, id)^
-- A job as a client sees it, with its item errors by code and field (a large value is null), its children, which retry
-- it, and the jobs that undo it; a dry run of an undo does not.
SELECT j.*, s.error_summary, ARRAY(
    SELECT r.id FROM jobs r
    WHERE r.parent_id = j.id AND (r.account_id = :account_id) IS TRUE AND r.accepted_at IS NOT NULL
    ORDER BY r.id LIMIT @max_children@
) AS children, ARRAY(
    SELECT u.id FROM jobs u
    WHERE u.params ->> 'undoes' = j.id::text AND (u.account_id = :account_id) IS TRUE AND u.accepted_at IS NOT NULL AND NOT u.dry_run
    ORDER BY u.id LIMIT @max_children@
) AS undone_by
FROM job_views j
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object('code', g.code, 'field', g.field, 'count', g.errors, 'examples', (
        SELECT COALESCE(json_agg(json_build_object('index', e.item_index, 'message', e.message, 'value',
            CASE WHEN octet_length(e.value::text) <= @large_bytes@ THEN e.value END) ORDER BY e.item_index), '[]')
        FROM unnest(g.examples) x
        CROSS JOIN LATERAL (
            SELECT item_index, message, value FROM item_errors
            WHERE account_id = j.account_id AND job_id = j.id AND item_index = x OFFSET 0
        ) e
    )) ORDER BY g.place) AS error_summary
    FROM summarise_errors(j.account_id, j.id) g WHERE j.failed > 0
) s
WHERE j.account_id = :account_id AND j.id = :id;

-- name: views(account_id, ids)
-- Jobs as a client sees them, newest first.
SELECT * FROM job_views WHERE account_id = :account_id AND id = ANY (:ids::uuid[]) ORDER BY id DESC;

-- name: state(account_id, id)$
SELECT state FROM jobs WHERE account_id = :account_id AND id = :id;

-- name: shape(account_id, id)^
SELECT operation, layout, params ->> 'unknown_columns' IS NOT DISTINCT FROM 'keep' AS keeps FROM jobs
WHERE account_id = :account_id AND id = :id;

-- name: parent(account_id, id)^
-- The job to retry.
SELECT operation, params, name, tags, file_name, format, layout, parallel, dry_run, state, failed, trace FROM jobs
WHERE account_id = :account_id AND id = :id;
