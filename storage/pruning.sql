-- Statements of pruning: they work for all accounts, read by index, and delete a bounded number of rows.

-- name: window(after, accounts, rows, keep_seconds)$
-- Delete the rows of @window@ that no window can count any more: of the next `accounts` accounts after an id, and of
-- each at most `rows` rows. Ages are measured from the account's newest row, because the clock may have stepped since.
-- Returns the id to go on with: the same one if rows were deleted, because there may be more; null: there are no more
-- accounts.
WITH batch AS MATERIALIZED (
    SELECT id FROM accounts WHERE id > :after ORDER BY id LIMIT :accounts
), old AS MATERIALIZED (
    SELECT aged.place
    FROM batch
    CROSS JOIN LATERAL (SELECT at FROM @window@ WHERE account_id = batch.id ORDER BY at DESC LIMIT 1) newest
    CROSS JOIN LATERAL (
        SELECT ctid AS place FROM @window@
        WHERE account_id = batch.id AND at < newest.at - make_interval(secs => :keep_seconds)
        ORDER BY at LIMIT :rows
    ) aged
), gone AS (
    DELETE FROM @window@ WHERE ctid = ANY (ARRAY(SELECT place FROM old)) RETURNING 1
)
SELECT CASE WHEN EXISTS (SELECT FROM gone) THEN :after::bigint ELSE (SELECT max(id) FROM batch) END;

-- name: changes(stream, rows)$
-- Delete up to `rows` changes that were recorded while the last job of their account ended. Returns their number. The
-- accounts with changes are found by one index look-up each.
WITH RECURSIVE holders AS (
    (SELECT account_id FROM contact_changes ORDER BY account_id LIMIT 1)
    UNION ALL
    SELECT following.account_id
    FROM holders h
    CROSS JOIN LATERAL (
        SELECT account_id FROM contact_changes WHERE account_id > h.account_id ORDER BY account_id LIMIT 1
    ) following
), old AS MATERIALIZED (
    SELECT c.place
    FROM holders h
    CROSS JOIN LATERAL (
        SELECT ctid AS place FROM contact_changes WHERE account_id = h.account_id LIMIT :rows
    ) c
    WHERE NOT EXISTS (
        SELECT FROM streams s WHERE s.account_id = h.account_id AND s.stream = :stream AND s.pending > 0 OFFSET 0)
    LIMIT :rows
), gone AS (
    DELETE FROM contact_changes WHERE ctid = ANY (ARRAY(SELECT place FROM old)) RETURNING 1
)
SELECT count(*) FROM gone;

-- name: ended_with_parts()
-- The jobs that have ended, or were deleted, and whose parts are still stored: a process that was stopped may store a part
-- after another one has replaced its job. Every job with parts costs one index look-up.
WITH RECURSIVE stored AS (
    (SELECT account_id, job_id FROM parts ORDER BY account_id, job_id LIMIT 1)
    UNION ALL
    SELECT following.account_id, following.job_id
    FROM stored s
    CROSS JOIN LATERAL (
        SELECT account_id, job_id FROM parts WHERE (account_id, job_id) > (s.account_id, s.job_id)
        ORDER BY account_id, job_id LIMIT 1
    ) following
)
SELECT s.account_id, s.job_id AS id
FROM stored s
LEFT JOIN LATERAL (
    SELECT id, finished_at FROM jobs WHERE account_id = s.account_id AND id = s.job_id OFFSET 0
) j ON true
WHERE j.id IS NULL OR j.finished_at IS NOT NULL;

-- name: parts(account_id, id, rows)$
-- Delete up to `rows` parts of a job that has ended, or was deleted. Returns their number. What is kept of them stays for
-- the results of an accepted job; of any other job nothing else would delete it.
WITH old AS MATERIALIZED (
    SELECT ctid AS place, part FROM parts
    WHERE account_id = :account_id AND job_id = :id
      AND NOT EXISTS (SELECT FROM jobs WHERE account_id = :account_id AND id = :id AND finished_at IS NULL)
    LIMIT :rows
), gone AS (
    DELETE FROM parts WHERE ctid = ANY (ARRAY(SELECT place FROM old)) RETURNING 1
), kept AS (
    DELETE FROM kept_parts
    WHERE account_id = :account_id AND job_id = :id AND part = ANY (ARRAY(SELECT part FROM old))
      AND NOT EXISTS (SELECT FROM jobs WHERE account_id = :account_id AND id = :id AND accepted_at IS NOT NULL)
)
SELECT count(*) FROM gone;

-- name: fold(rows)$
-- Add up to `rows` changes of the numbers of jobs to job_counts. Returns their number.
WITH taken AS (
    DELETE FROM job_count_changes WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM job_count_changes ORDER BY account_id, tag, name, number LIMIT :rows FOR UPDATE SKIP LOCKED))
    RETURNING account_id, tag, name, hour, operation, state, jobs
), folded AS (
    INSERT INTO job_counts AS c (account_id, tag, name, hour, operation, state, jobs)
    SELECT account_id, tag, name, hour, operation, state, sum(jobs) FROM taken
    GROUP BY account_id, tag, name, hour, operation, state
    ORDER BY account_id, tag, name, hour, operation, state
    ON CONFLICT (account_id, tag, name, hour, operation, state) DO UPDATE SET jobs = c.jobs + EXCLUDED.jobs
)
SELECT count(*) FROM taken;

-- name: drop_empty(rows)$
-- Delete up to `rows` numbers of jobs that are 0. Returns their number.
WITH gone AS (
    DELETE FROM job_counts WHERE jobs = 0 AND ctid = ANY (ARRAY(
        SELECT ctid FROM job_counts WHERE jobs = 0 ORDER BY account_id LIMIT :rows FOR UPDATE SKIP LOCKED))
    RETURNING 1
)
SELECT count(*) FROM gone;

-- name: old_jobs(after, accounts, days)
-- Those of the next `accounts` accounts after an id with jobs to delete: that ended more than the days of their account, or
-- `days`, ago. `last` is the id to go on with. One row without an account_id: none of them. No row: there are no more accounts.
WITH batch AS MATERIALIZED (
    SELECT id FROM accounts WHERE id > :after ORDER BY id LIMIT :accounts
), due AS (
    SELECT a.id AS account_id, a.days
    FROM batch
    CROSS JOIN LATERAL (
        SELECT o.id, COALESCE(o.keep_jobs_days, :days::int) AS days FROM accounts o WHERE o.id = batch.id OFFSET 0
    ) a
    WHERE EXISTS (
        SELECT FROM jobs j WHERE j.account_id + 0 = a.id AND j.finished_at < now() - make_interval(days => a.days) OFFSET 0)
)
SELECT due.account_id, due.days, edge.last
FROM (SELECT max(id) AS last FROM batch) edge LEFT JOIN due ON true
WHERE edge.last IS NOT NULL;

-- name: job(account_id, days)$
-- Delete a job of an account that ended more than `days` ago, with all rows that belong to it, unless a retry of it is being
-- accepted, or an undo that has not ended needs its images. Returns the number of jobs. The advisory lock is why no retry waits
-- for this statement: see `count_retry`. Each job that is looked at costs one look-up by index.
WITH locked AS MATERIALIZED (
    SELECT account_id, id FROM jobs j
    WHERE account_id + 0 = :account_id AND finished_at < now() - make_interval(days => :days)
      AND NOT EXISTS (
        SELECT FROM jobs u
        WHERE u.params ->> 'undoes' = j.id::text AND (u.account_id = j.account_id AND u.finished_at IS NULL) IS TRUE
        OFFSET 0)
    ORDER BY finished_at LIMIT 1 FOR UPDATE SKIP LOCKED
), old AS MATERIALIZED (
    SELECT account_id, id FROM locked WHERE pg_try_advisory_xact_lock(deletion_key(id))
), p AS (DELETE FROM parts x USING old WHERE x.account_id = ANY (ARRAY[old.account_id]) AND x.job_id = old.id),
   k AS (DELETE FROM kept_parts x USING old WHERE x.account_id = ANY (ARRAY[old.account_id]) AND x.job_id = old.id),
   c AS (DELETE FROM chunks x USING old WHERE x.account_id = ANY (ARRAY[old.account_id]) AND x.job_id = old.id),
   o AS (DELETE FROM outcomes x USING old WHERE x.account_id = ANY (ARRAY[old.account_id]) AND x.job_id = old.id),
   h AS (DELETE FROM outcome_changes x USING old WHERE x.account_id = ANY (ARRAY[old.account_id]) AND x.job_id = old.id),
   e AS (DELETE FROM item_errors x USING old WHERE x.account_id = ANY (ARRAY[old.account_id]) AND x.job_id = old.id),
   n AS (DELETE FROM error_counts x USING old WHERE x.account_id = ANY (ARRAY[old.account_id]) AND x.job_id = old.id),
   g AS (DELETE FROM error_groups x USING old WHERE x.account_id = ANY (ARRAY[old.account_id]) AND x.job_id = old.id),
   i AS (DELETE FROM before_images x USING old WHERE x.account_id = ANY (ARRAY[old.account_id]) AND x.job_id = old.id),
   j AS (DELETE FROM jobs x USING old WHERE x.account_id = ANY (ARRAY[old.account_id]) AND x.id = old.id RETURNING x.id)
SELECT count(*) FROM j;

-- name: images(days, at, number, rows)^
-- Delete, of the next `rows` before_images after a time and a number, those of jobs that ended more than `days` ago or were
-- deleted, unless an undo that has not ended needs them. Returns the time and the number to go on with. No row: there are none
-- that are so old.
WITH old AS MATERIALIZED (
    SELECT ctid AS place, account_id, job_id, at, number FROM before_images
    WHERE at < now() - make_interval(days => :days) AND (at, number) > (:at::timestamptz, :number::bigint)
    ORDER BY at, number LIMIT :rows
), gone AS (
    DELETE FROM before_images WHERE ctid = ANY (ARRAY(
        SELECT o.place FROM old o
        WHERE NOT EXISTS (
            SELECT FROM jobs j
            WHERE j.account_id = o.account_id AND j.id = o.job_id
              AND (j.finished_at < now() - make_interval(days => :days)) IS NOT TRUE
            OFFSET 0)
          AND NOT EXISTS (
            SELECT FROM jobs u
            WHERE u.params ->> 'undoes' = o.job_id::text AND (u.account_id = o.account_id AND u.finished_at IS NULL) IS TRUE
            OFFSET 0)))
)
SELECT at, number FROM old ORDER BY at DESC, number DESC LIMIT 1;

-- name: single_changes(days, rows)$
-- Delete up to `rows` single changes that were made more than `days` ago. Returns their number.
WITH gone AS (
    DELETE FROM single_changes WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM single_changes WHERE at < now() - make_interval(days => :days) ORDER BY at, number LIMIT :rows))
    RETURNING 1
)
SELECT count(*) FROM gone;
