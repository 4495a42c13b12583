-- name: look(account_id, contact_id, before, below, jobs, chunks)
-- The jobs whose results name a contact, newest first: of the newest `jobs` jobs and `chunks` chunks, or of those from the
-- job `before` on, without its chunks from `below` on. Every row has `looked`, the number of jobs whose results were read,
-- and where to continue (`end_job`, `end_index`; null: there are no older jobs). If no job is found, there is one row with
-- these alone. The results of a job are read by its key, so the work is bounded by the two limits.
WITH newest AS MATERIALIZED (
    SELECT id FROM jobs
    WHERE account_id = :account_id AND id <= COALESCE(:before::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
      AND (:below::bigint IS NULL OR :below > 0 OR id < :before)
    ORDER BY id DESC LIMIT :jobs
), looked AS MATERIALIZED (
    SELECT n.id, o.first_index, o.hit
    FROM (SELECT id FROM newest ORDER BY id DESC) n
    CROSS JOIN LATERAL (
        SELECT first_index, array_position(contact_ids, :contact_id::bigint) IS NOT NULL AS hit FROM outcomes
        WHERE account_id = :account_id AND job_id = n.id
          AND first_index < CASE WHEN n.id = :before THEN :below::bigint ELSE @no_index@ END
        ORDER BY first_index DESC OFFSET 0
    ) o
    LIMIT :chunks
), summary AS (
    SELECT count(DISTINCT id)::int AS looked, count(*) AS chunks FROM looked
), continued AS (
    SELECT s.looked, e.id AS end_job, e.first_index AS end_index
    FROM summary s
    LEFT JOIN LATERAL (
        (SELECT id, first_index FROM looked WHERE s.chunks = :chunks ORDER BY id, first_index LIMIT 1)
        UNION ALL
        (SELECT min(id::text)::uuid, 0 FROM newest WHERE s.chunks < :chunks HAVING count(*) = :jobs)
    ) e ON true
), named AS (
    SELECT DISTINCT ON (l.id) l.id, o.first_index + u.place::int - 1 AS item_index, u.outcome, count(*) OVER (PARTITION BY l.id) AS items
    FROM looked l
    CROSS JOIN LATERAL (
        SELECT first_index, contact_ids, outcomes FROM outcomes
        WHERE account_id = :account_id AND job_id = l.id AND first_index = l.first_index OFFSET 0
    ) o
    CROSS JOIN LATERAL unnest(o.contact_ids, o.outcomes) WITH ORDINALITY u (contact_id, outcome, place)
    WHERE l.hit AND u.contact_id = :contact_id
    ORDER BY l.id, item_index DESC
)
SELECT c.*, j.id, j.name, j.operation, j.state, j.dry_run, j.received_at, j.item_index, j.items::int AS items, j.outcome
FROM continued c
LEFT JOIN LATERAL (
    SELECT j.id, j.name, j.operation, j.state, j.dry_run, j.received_at, n.item_index, n.items, COALESCE((
        SELECT h.outcome FROM outcome_changes h
        WHERE h.account_id = :account_id AND h.job_id = n.id AND h.item_index = n.item_index), n.outcome) AS outcome
    FROM named n
    CROSS JOIN LATERAL (SELECT * FROM jobs WHERE account_id = :account_id AND id = n.id OFFSET 0) j
) j ON true
ORDER BY j.id DESC;
