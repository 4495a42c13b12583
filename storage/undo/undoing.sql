-- name: facts(account_id, id, days)^
-- The job to undo. `expired`: its images may have been pruned. `has_images`: there is any. `moves`: one is of a phone or an external id. `undone_by`: an undo of it that has not ended.
SELECT j.name, j.tags, j.stream, j.parallel, j.dry_run, j.state, j.created, j.updated,
    j.added + j.removed AS members, j.finished_at, j.trace,
    j.finished_at < now() - make_interval(days => :days) AS expired,
    EXISTS (SELECT FROM before_images i WHERE i.account_id = j.account_id AND i.job_id = j.id OFFSET 0) AS has_images,
    EXISTS (
        SELECT FROM before_images i
        WHERE i.account_id = j.account_id AND i.job_id = j.id AND (i.field IN ('phone', 'external_id')) IS TRUE OFFSET 0
    ) AS moves,
    (
        SELECT u.id FROM jobs u
        WHERE u.params ->> 'undoes' = j.id::text AND (u.account_id = j.account_id) IS TRUE
          AND u.finished_at IS NULL AND u.accepted_at IS NOT NULL
        ORDER BY u.id LIMIT 1
    ) AS undone_by
FROM jobs j WHERE j.account_id = :account_id AND j.id = :id;

-- name: declare(account_id, id)!
-- Open the cursor `undone`: the items of an undo, as lines of JSON. One item for each contact that the job has created or
-- changed, with the numbers of the images that name it. The contact that was changed last comes first, so that a chunk
-- finds its contacts in few images, and so that phones that went from contact to contact go back the same way. An
-- item without any image: the job has changed the contact, but its images are missing. One pass over images and
-- results, and two sorts.
DECLARE undone NO SCROLL CURSOR WITH HOLD FOR
WITH named AS (
    SELECT u.contact_id, i.number, i.number AS image, false AS created
    FROM before_images i
    CROSS JOIN LATERAL unnest(i.contact_ids) u (contact_id)
    WHERE i.account_id = :account_id AND i.job_id = :id
    UNION ALL
    SELECT u.contact_id, c.applied, NULL, u.outcome = @outcome.created@
    FROM outcomes o
    CROSS JOIN LATERAL (
        SELECT applied FROM chunks
        WHERE account_id = :account_id AND job_id = :id AND first_index = o.first_index OFFSET 0
    ) c
    CROSS JOIN LATERAL unnest(o.contact_ids, o.outcomes) u (contact_id, outcome)
    WHERE o.account_id = :account_id AND o.job_id = :id AND u.contact_id IS NOT NULL
      AND u.outcome IN (@outcome.created@, @outcome.updated@)
)
SELECT json_build_object('contact', contact_id, 'images',
    COALESCE(array_agg(image ORDER BY image) FILTER (WHERE image IS NOT NULL), '{}'), 'created', bool_or(created)) AS line,
    max(number) AS last
FROM named
GROUP BY contact_id
ORDER BY max(number) DESC, contact_id;
