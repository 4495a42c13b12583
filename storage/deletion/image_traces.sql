-- name: erase_images(account_id, job_id, number, contact_id, phones, external_ids, emails, rows)^
-- Take a contact out of the next `rows` before-images after one, in the order of their key; also values of other contacts that
-- are its phone, external id or email, and whole rows with its phone. An image without any other contact is deleted.
-- `last_job` and `last_number` are the last image, `identifiers` what its own values say: pairs of a field and a value. No row:
-- there are no more images.
WITH looked AS MATERIALIZED (
    SELECT b.ctid AS place, b.* FROM before_images b
    WHERE b.account_id = :account_id AND (b.job_id, b.number) > (:job_id::uuid, :number::bigint)
    ORDER BY b.job_id, b.number LIMIT :rows FOR UPDATE
), last AS (
    SELECT job_id AS last_job, number AS last_number FROM looked ORDER BY job_id DESC, number DESC LIMIT 1
), traced AS MATERIALIZED (
    SELECT l.place, l.field, u.contact_id = :contact_id AS own, u.old, u.new, u.old_json, u.n::int
    FROM looked l
    CROSS JOIN LATERAL unnest(l.contact_ids, l.old, l.new, l.old_json)
        WITH ORDINALITY u (contact_id, old, new, old_json, n)
    WHERE u.contact_id = :contact_id
       OR l.field = 'phone' AND (u.old = ANY (:phones::text[]) OR u.new = ANY (:phones::text[]))
       OR l.field = 'external_id' AND (u.old = ANY (:external_ids::text[]) OR u.new = ANY (:external_ids::text[]))
       OR l.field = 'email' AND (lower(u.old) = ANY (:emails::text[]) OR lower(u.new) = ANY (:emails::text[]))
       OR l.field = 'contact' AND u.old_json ->> 'phone' = ANY (:phones::text[])
), removed AS MATERIALIZED (
    SELECT place, array_agg(n) AS places FROM traced GROUP BY place
), gone AS (
    DELETE FROM before_images b USING removed r, looked l
    WHERE b.ctid = r.place AND l.place = r.place AND cardinality(r.places) = cardinality(l.contact_ids)
), rewritten AS (
    UPDATE before_images b SET
        contact_ids = ARRAY(SELECT u.v FROM unnest(l.contact_ids) WITH ORDINALITY u (v, n) WHERE u.n <> ALL (r.places) ORDER BY u.n),
        old = CASE WHEN l.old IS NOT NULL THEN
            ARRAY(SELECT u.v FROM unnest(l.old) WITH ORDINALITY u (v, n) WHERE u.n <> ALL (r.places) ORDER BY u.n) END,
        new = CASE WHEN l.new IS NOT NULL THEN
            ARRAY(SELECT u.v FROM unnest(l.new) WITH ORDINALITY u (v, n) WHERE u.n <> ALL (r.places) ORDER BY u.n) END,
        old_json = CASE WHEN l.old_json IS NOT NULL THEN
            ARRAY(SELECT u.v FROM unnest(l.old_json) WITH ORDINALITY u (v, n) WHERE u.n <> ALL (r.places) ORDER BY u.n) END,
        new_json = CASE WHEN l.new_json IS NOT NULL THEN
            ARRAY(SELECT u.v FROM unnest(l.new_json) WITH ORDINALITY u (v, n) WHERE u.n <> ALL (r.places) ORDER BY u.n) END
    FROM removed r, looked l
    WHERE b.ctid = r.place AND l.place = r.place AND cardinality(r.places) < cardinality(l.contact_ids)
), said AS (
    SELECT DISTINCT p.field, p.value FROM traced t CROSS JOIN LATERAL (VALUES
        (t.field, t.old), (t.field, t.new), ('phone', t.old_json ->> 'phone'),
        ('external_id', t.old_json ->> 'external_id'), ('email', t.old_json ->> 'email')
    ) p (field, value)
    WHERE t.own AND p.field IN ('phone', 'external_id', 'email') AND p.value IS NOT NULL
      AND NOT (p.field = 'phone' AND p.value LIKE '~%') -- what stands for a phone during a move: see `park` in upsert.sql
)
SELECT last.*, (SELECT count(*) FROM looked)::int AS checked, (SELECT count(*) FROM traced)::int AS erased,
    (SELECT json_agg(json_build_array(field, value)) FROM said) AS identifiers
FROM last;

-- name: images(account_id, job_id, number, contact_id, rows)
-- What the next `rows` before-images after one say of a contact. Without anything, one row without a field. No row: there are
-- no more images.
WITH looked AS MATERIALIZED (
    SELECT b.* FROM before_images b
    WHERE b.account_id = :account_id AND (b.job_id, b.number) > (:job_id::uuid, :number::bigint)
    ORDER BY b.job_id, b.number LIMIT :rows
), last AS (
    SELECT job_id AS last_job, number AS last_number FROM looked ORDER BY job_id DESC, number DESC LIMIT 1
)
SELECT last.*, said.* FROM last LEFT JOIN LATERAL (
    SELECT l.job_id, l.field, l.at, COALESCE(u.old_json, to_jsonb(u.old)) AS old, COALESCE(u.new_json, to_jsonb(u.new)) AS new
    FROM looked l
    CROSS JOIN LATERAL unnest(l.contact_ids, l.old, l.new, l.old_json, l.new_json)
        u (contact_id, old, new, old_json, new_json)
    WHERE u.contact_id = :contact_id
    ORDER BY l.job_id, l.number
) said ON true;

-- name: erase_single_changes(account_id, after_contact, number, contact_id, phones, external_ids, emails, rows)^
-- As `erase_images`, for the changes over REST: they are deleted.
WITH looked AS MATERIALIZED (
    SELECT s.ctid AS place, s.* FROM single_changes s
    WHERE s.account_id = :account_id AND (s.contact_id, s.number) > (:after_contact::bigint, :number::bigint)
    ORDER BY s.contact_id, s.number LIMIT :rows FOR UPDATE
), last AS (
    SELECT contact_id AS last_contact, number AS last_number FROM looked ORDER BY contact_id DESC, number DESC LIMIT 1
), traced AS MATERIALIZED (
    SELECT l.place, l.contact_id = :contact_id AS own, v.field, v.value
    FROM looked l
    CROSS JOIN LATERAL (VALUES
        (l.field, l.old #>> '{}'), (l.field, l.new #>> '{}'),
        ('phone', l.old ->> 'phone'), ('external_id', l.old ->> 'external_id'), ('email', l.old ->> 'email'),
        ('phone', l.new ->> 'phone'), ('external_id', l.new ->> 'external_id'), ('email', l.new ->> 'email')
    ) v (field, value)
    WHERE l.contact_id = :contact_id
       OR v.field = 'phone' AND v.value = ANY (:phones::text[])
       OR v.field = 'external_id' AND v.value = ANY (:external_ids::text[])
       OR v.field = 'email' AND lower(v.value) = ANY (:emails::text[])
), gone AS (
    DELETE FROM single_changes WHERE ctid = ANY (ARRAY(SELECT place FROM traced)) RETURNING 1
)
SELECT last.*, (SELECT count(*) FROM looked)::int AS checked, (SELECT count(*) FROM gone)::int AS erased, (
    SELECT json_agg(DISTINCT jsonb_build_array(field, value)) FROM traced
    WHERE own AND field IN ('phone', 'external_id', 'email') AND value IS NOT NULL) AS identifiers
FROM last;

-- name: single_changes(account_id, contact_id, number, rows)
-- The next changes of a contact over REST after one.
SELECT number, field, at, old, new FROM single_changes
WHERE account_id = :account_id AND contact_id = :contact_id AND number > :number
ORDER BY number LIMIT :rows;
