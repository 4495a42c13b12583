-- Lists and counts of jobs. A filter names a tag and a name, '' for any, which choose the rows of job_history; a null
-- `above` means exactly this name, another one the names from `name` up to `above`. A state is one of job_history. Jobs that
-- have not ended are read one by one, unless no state is one of theirs.

-- name: page(account_id, tag, name, operation, states, since, until, received_at, id, size)
-- Ids of the jobs with a tag and a name that come after a place in the list, in its order. Each pair of an operation and a
-- state has a list of its own in job_history; the operations are found by one index look-up each.
WITH RECURSIVE place AS MATERIALIZED (
    SELECT COALESCE((SELECT j.received_at FROM jobs j WHERE j.account_id = :account_id AND j.id = :id),
                    :received_at::timestamptz, '@end@') AS received_at, COALESCE(:id::uuid, '@end_id@') AS id
), kinds AS (
    (SELECT operation FROM job_history
     WHERE account_id = :account_id AND tag = :tag AND name = :name AND operation >= COALESCE(:operation::text, '')
     ORDER BY operation LIMIT 1)
    UNION ALL
    SELECT following.operation
    FROM kinds k
    CROSS JOIN LATERAL (
        SELECT operation FROM job_history
        WHERE account_id = :account_id AND tag = :tag AND name = :name AND operation > k.operation
        ORDER BY operation LIMIT 1
    ) following
    WHERE :operation::text IS NULL
), ended AS (
    SELECT h.received_at, h.id
    FROM place p
    CROSS JOIN kinds k
    CROSS JOIN unnest(:states::text[]) s (state)
    CROSS JOIN LATERAL (
        SELECT received_at, job_id AS id FROM job_history
        WHERE account_id = :account_id AND tag = :tag AND name = :name AND operation = k.operation AND state = s.state
          AND received_at >= COALESCE(:since::timestamptz, '-infinity') AND received_at < COALESCE(:until::timestamptz, 'infinity')
          AND (received_at, job_id) @after@ (p.received_at, p.id)
        ORDER BY received_at @order@, job_id @order@ LIMIT :size
    ) h
    WHERE k.operation = COALESCE(:operation::text, k.operation)
), unended AS (
    SELECT u.received_at, u.id
    FROM place p
    CROSS JOIN unended_jobs u
    WHERE u.account_id = :account_id AND u.state = ANY (:states::text[])
      AND :states::text[] && '{receiving,queued,running}'
      AND u.operation = COALESCE(:operation::text, u.operation) AND (:tag = '' OR u.tags @> ARRAY[:tag::text])
      AND (:name = '' OR u.name = :name)
      AND u.received_at >= COALESCE(:since::timestamptz, '-infinity') AND u.received_at < COALESCE(:until::timestamptz, 'infinity')
      AND (u.received_at, u.id) @after@ (p.received_at, p.id)
)
SELECT id FROM (SELECT * FROM ended UNION ALL SELECT * FROM unended) found
ORDER BY received_at @order@, id @order@
LIMIT :size;

-- name: page_by_prefix(account_id, tag, name, above, operation, states, since, until, received_at, id, size)
-- As `page`, for a range of names. It reads and sorts all rows of these names.
WITH place AS MATERIALIZED (
    SELECT COALESCE((SELECT j.received_at FROM jobs j WHERE j.account_id = :account_id AND j.id = :id),
                    :received_at::timestamptz, '@end@') AS received_at, COALESCE(:id::uuid, '@end_id@') AS id
), named AS (
    SELECT operation, state, received_at, job_id AS id FROM job_history
    WHERE account_id = :account_id AND tag = :tag AND name >= :name AND name < :above
    UNION ALL
    SELECT operation, state, received_at, id FROM unended_jobs
    WHERE account_id = :account_id AND (:tag = '' OR tags @> ARRAY[:tag::text]) AND name >= :name AND name < :above
      AND :states::text[] && '{receiving,queued,running}'
)
SELECT n.id
FROM place p
CROSS JOIN named n
WHERE n.state = ANY (:states::text[]) AND n.operation = COALESCE(:operation::text, n.operation)
  AND n.received_at >= COALESCE(:since::timestamptz, '-infinity') AND n.received_at < COALESCE(:until::timestamptz, 'infinity')
  AND (n.received_at, n.id) @after@ (p.received_at, p.id)
ORDER BY n.received_at @order@, n.id @order@
LIMIT :size;

-- name: with_names(account_id, ids, name, above)
-- Those of the jobs whose names are in a range.
SELECT j.id
FROM unnest(:ids::uuid[]) i (id)
CROSS JOIN LATERAL (SELECT id, name FROM jobs WHERE account_id = :account_id AND id = i.id OFFSET 0) j
WHERE j.name >= :name AND j.name < :above;

-- name: has_many(account_id, tag, name, above, most)$
-- Whether more than `most` ended jobs have names in a range.
SELECT EXISTS (
    SELECT FROM job_history WHERE account_id = :account_id AND tag = :tag AND name >= :name AND name < :above
    OFFSET :most::bigint);

-- name: counts(account_id, tag, name, above, operation, states, since, until, first_hour, last_hour, lows, highs)
-- The number of jobs in each state, in one snapshot: whole hours from `first_hour` to before `last_hour`, and the spans that
-- begin and end within an hour, whose jobs are counted one by one.
WITH RECURSIVE spans AS MATERIALIZED (
    SELECT low, high FROM unnest(:lows::timestamptz[], :highs::timestamptz[]) s (low, high)
), hours AS (
    SELECT state, jobs FROM job_numbers
    WHERE :above::text IS NULL AND account_id = :account_id AND tag = :tag AND name = :name
      AND hour >= COALESCE(:first_hour::timestamptz, '-infinity') AND hour < COALESCE(:last_hour::timestamptz, 'infinity')
      AND operation = COALESCE(:operation::text, operation)
    UNION ALL
    SELECT state, jobs FROM job_numbers
    WHERE :above::text IS NOT NULL AND account_id = :account_id AND tag = :tag AND name >= :name AND name < :above
      AND hour >= COALESCE(:first_hour::timestamptz, '-infinity') AND hour < COALESCE(:last_hour::timestamptz, 'infinity')
      AND operation = COALESCE(:operation::text, operation)
), facet AS MATERIALIZED (
    SELECT CASE WHEN :above::text IS NULL THEN :name ELSE '' END AS name
), kinds AS (
    (SELECT h.operation FROM job_history h
     WHERE h.account_id = :account_id AND h.tag = :tag AND h.name = (SELECT name FROM facet)
       AND h.operation >= COALESCE(:operation::text, '') AND EXISTS (SELECT FROM spans)
     ORDER BY h.operation LIMIT 1)
    UNION ALL
    SELECT following.operation
    FROM kinds k
    CROSS JOIN LATERAL (
        SELECT operation FROM job_history
        WHERE account_id = :account_id AND tag = :tag AND name = (SELECT name FROM facet) AND operation > k.operation
        ORDER BY operation LIMIT 1
    ) following
    WHERE :operation::text IS NULL
), counted AS (
    SELECT s.state, h.jobs
    FROM spans
    CROSS JOIN kinds k
    CROSS JOIN unnest(:states::text[]) s (state)
    CROSS JOIN LATERAL (
        SELECT count(*) AS jobs FROM job_history o
        WHERE o.account_id = :account_id AND o.tag = :tag AND o.name = (SELECT name FROM facet)
          AND o.operation = k.operation AND o.state = s.state AND o.received_at >= spans.low AND o.received_at < spans.high
          AND (:above::text IS NULL OR EXISTS (
            SELECT FROM jobs j WHERE j.account_id = o.account_id AND j.id = o.job_id AND j.name >= :name AND j.name < :above
            OFFSET 0))
    ) h
    WHERE k.operation = COALESCE(:operation::text, k.operation)
), unended AS (
    SELECT state, 1 AS jobs FROM unended_jobs
    WHERE account_id = :account_id AND operation = COALESCE(:operation::text, operation)
      AND :states::text[] && '{receiving,queued,running}'
      AND (:tag = '' OR tags @> ARRAY[:tag::text])
      AND (:above::text IS NULL AND (:name = '' OR name = :name) OR name >= :name AND name < :above)
      AND received_at >= COALESCE(:since::timestamptz, '-infinity') AND received_at < COALESCE(:until::timestamptz, 'infinity')
)
SELECT state, sum(jobs)::bigint AS jobs
FROM (SELECT * FROM hours UNION ALL SELECT * FROM counted UNION ALL SELECT * FROM unended) found
WHERE state = ANY (:states::text[])
GROUP BY state;

-- name: unended(account_id, tag, name, above, operation, states, since, until)
-- The ids of the matching jobs that have not ended and are not cancelled yet, oldest first.
SELECT u.id FROM unended_jobs u
WHERE u.account_id = :account_id AND u.state = ANY (:states::text[]) AND u.operation = COALESCE(:operation::text, u.operation)
  AND (:tag = '' OR u.tags @> ARRAY[:tag::text])
  AND (:above::text IS NULL AND (:name = '' OR u.name = :name) OR u.name >= :name AND u.name < :above)
  AND u.received_at >= COALESCE(:since::timestamptz, '-infinity')
  AND u.received_at < COALESCE(:until::timestamptz, 'infinity')
  AND EXISTS (
    SELECT FROM jobs j WHERE j.account_id = :account_id AND j.id = u.id AND j.cancel_requested_at IS NULL OFFSET 0)
ORDER BY u.id;

-- name: named(account_id, ids, tag, name, above, operation, states, since, until)
-- The jobs with these ids, oldest first: whether they match, their states, failed items, and whether they can be retried.
SELECT j.id, j.state, j.failed, j.state = ANY (:states::text[]) AND j.operation = COALESCE(:operation::text, j.operation)
    AND (:tag = '' OR j.tags @> ARRAY[:tag::text])
    AND COALESCE(:above::text IS NULL AND (:name = '' OR j.name = :name) OR j.name >= :name AND j.name < :above, false)
    AND j.received_at >= COALESCE(:since::timestamptz, '-infinity')
    AND j.received_at < COALESCE(:until::timestamptz, 'infinity') AS matches,
    EXISTS (
        SELECT FROM job_history h
        WHERE h.account_id = :account_id AND h.tag = '' AND h.name = '' AND h.operation = j.operation
          AND h.state = '@retryable@' || j.state AND h.received_at = j.received_at AND h.job_id = j.id OFFSET 0
    ) AS retryable
FROM (SELECT DISTINCT id FROM unnest(:ids::uuid[]) i (id)) i
CROSS JOIN LATERAL (
    SELECT id, state, failed, operation, tags, name, received_at FROM jobs
    WHERE account_id = :account_id AND id = i.id OFFSET 0
) j
ORDER BY j.id;
