-- name: images(account_id, contact_id, before, number, last, rows)
-- What jobs changed in a contact, newest first: of the next `rows` images before a job and a number, down to the job `last`.
-- Every row has the place at which the look ended (`end_job`, `end_number`; null: it has read them all). If no image names the
-- contact, there is one row with these alone.
WITH looked AS MATERIALIZED (
    SELECT job_id, number, field, old, new, old_json, new_json, array_position(contact_ids, :contact_id::bigint) AS place
    FROM before_images
    WHERE account_id = :account_id AND (job_id, number) < (:before::uuid, :number::bigint) AND job_id >= :last::uuid
    ORDER BY job_id DESC, number DESC LIMIT :rows
), edge AS (
    SELECT job_id AS end_job, number AS end_number FROM looked OFFSET :rows - 1
), hits AS (
    SELECT job_id, number, field, COALESCE(to_jsonb(old[place]), old_json[place]) AS old,
        COALESCE(to_jsonb(new[place]), new_json[place]) AS new
    FROM looked WHERE place IS NOT NULL
)
SELECT e.*, h.*
FROM (SELECT 1) one LEFT JOIN edge e ON true LEFT JOIN hits h ON true;

-- name: single_changes(account_id, contact_id, below, rows)
-- The single changes of a contact with numbers below the given one, newest first, with the names of the keys.
SELECT s.*, k.name AS key_name
FROM (
    SELECT number, at, caller, field, old, new FROM single_changes
    WHERE account_id = :account_id AND contact_id = :contact_id AND number < :below
    ORDER BY number DESC LIMIT :rows
) s
LEFT JOIN LATERAL (
    SELECT name FROM api_keys WHERE account_id = :account_id AND id = s.caller ->> 'key_id' OFFSET 0
) k ON true
ORDER BY s.number DESC;

-- name: jobs(account_id, ids)
SELECT j.id, j.name, j.operation, j.state, j.received_at
FROM unnest(:ids::uuid[]) w (id)
CROSS JOIN LATERAL (SELECT * FROM jobs WHERE account_id = :account_id AND id = w.id OFFSET 0) j;
