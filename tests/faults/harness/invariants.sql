-- What must hold when nothing is in progress. Each query returns the rows that break the invariant of its name.

-- name: every ended job has counts that add up to its total
SELECT id, state, total, created, updated, unchanged, merged, skipped, failed, cancelled FROM jobs
WHERE finished_at IS NOT NULL
  AND created + updated + unchanged + merged + skipped + failed + cancelled IS DISTINCT FROM total;

-- name: the counts of an ended job equal its stored results
WITH results AS (
    SELECT o.account_id, o.job_id, COALESCE(h.outcome, u.outcome) AS outcome
    FROM outcomes o
    CROSS JOIN LATERAL unnest(o.outcomes) WITH ORDINALITY u (outcome, position)
    LEFT JOIN outcome_changes h ON h.account_id = o.account_id AND h.job_id = o.job_id
        AND h.item_index = o.first_index + u.position - 1
), stored AS (
    SELECT account_id, job_id, array[count(*) FILTER (WHERE outcome = 1), count(*) FILTER (WHERE outcome = 2),
        count(*) FILTER (WHERE outcome = 3), count(*) FILTER (WHERE outcome = 4), count(*) FILTER (WHERE outcome = 5),
        count(*) FILTER (WHERE outcome = 6), count(*) FILTER (WHERE outcome = 7)] AS counts
    FROM results GROUP BY account_id, job_id
), told AS (
    SELECT account_id, id AS job_id, state,
        array[created, updated, unchanged, merged, skipped, failed, cancelled]::bigint[] AS counts
    FROM jobs WHERE finished_at IS NOT NULL AND total > 0
)
SELECT t.job_id, t.state, t.counts AS told, s.counts AS stored
FROM told t LEFT JOIN stored s USING (account_id, job_id)
WHERE t.counts IS DISTINCT FROM s.counts;

-- name: the chunks of an ended job cover its items once
WITH runs AS (
    SELECT c.account_id, c.job_id, c.first_index, c.items,
        COALESCE(lag(c.first_index + c.items) OVER one_job, 0) AS expected,
        sum(c.items) OVER (PARTITION BY c.account_id, c.job_id) AS covered
    FROM chunks c
    WINDOW one_job AS (PARTITION BY c.account_id, c.job_id ORDER BY c.first_index)
)
SELECT j.id, j.state, j.total, r.first_index, r.expected, r.covered
FROM jobs j JOIN runs r ON r.account_id = j.account_id AND r.job_id = j.id
WHERE j.finished_at IS NOT NULL AND (r.first_index <> r.expected OR r.covered <> j.total);

-- name: every chunk of an ended job is done or cancelled and has one row of results
SELECT j.id, j.state, c.first_index, c.state AS chunk, c.items, cardinality(o.outcomes) AS results
FROM jobs j
JOIN chunks c ON c.account_id = j.account_id AND c.job_id = j.id
LEFT JOIN outcomes o ON o.account_id = c.account_id AND o.job_id = c.job_id AND o.first_index = c.first_index
WHERE j.finished_at IS NOT NULL
  AND (c.state NOT IN ('done', 'cancelled') OR c.items IS DISTINCT FROM cardinality(o.outcomes));

-- name: every failed item has one error, and no other item has any
SELECT j.id, j.state, j.failed, count(e.item_index) AS errors
FROM jobs j LEFT JOIN item_errors e ON e.account_id = j.account_id AND e.job_id = j.id
WHERE j.finished_at IS NOT NULL
GROUP BY j.account_id, j.id HAVING count(e.item_index) <> j.failed;

-- name: the groups of errors of a job equal its errors
WITH stored AS (
    SELECT account_id, job_id, code, field, count(*) AS errors FROM item_errors GROUP BY account_id, job_id, code, field
), grouped AS (
    SELECT account_id, job_id, code, field, sum(errors) AS errors FROM error_groups
    GROUP BY account_id, job_id, code, field
)
SELECT COALESCE(s.job_id, g.job_id) AS job_id, s.code, s.field, s.errors, g.code AS group_code, g.field AS group_field, g.errors AS counted
FROM stored s FULL JOIN grouped g ON g.account_id = s.account_id AND g.job_id = s.job_id AND g.code = s.code
    AND COALESCE(g.field, '') = COALESCE(s.field, '') AND g.errors = s.errors
WHERE s.job_id IS NULL OR g.job_id IS NULL;

-- name: max_errors stops the jobs in which more items failed, and a number stops no other
SELECT id, state, error_code, max_errors, errors, items
FROM (
    SELECT j.id, j.state, j.error_code, v.max_errors, COALESCE(n.errors, 0) AS errors, n.items,
        right(v.max_errors, 1) = '%' AS percentage, rtrim(v.max_errors, '%')::numeric AS most
    FROM jobs j
    CROSS JOIN LATERAL (SELECT j.params->>'max_errors' AS max_errors) v
    LEFT JOIN error_counts n ON n.account_id = j.account_id AND n.job_id = j.id
    WHERE j.finished_at IS NOT NULL AND v.max_errors IS NOT NULL
) limited
WHERE state IN ('completed', 'completed_with_errors')
      AND CASE WHEN percentage THEN 100 * errors > most * items ELSE errors > most END
   OR error_code = 'max_errors_exceeded' AND NOT percentage AND errors <= most;

-- name: the chunks of a job have counted its item errors
SELECT j.id, j.state, j.failed, n.errors FROM jobs j
JOIN error_counts n ON n.account_id = j.account_id AND n.job_id = j.id
WHERE j.finished_at IS NOT NULL AND (n.errors > j.failed OR j.parallel = 1 AND n.errors <> j.failed);

-- name: a retry has the failed items of its parent, and an action on many jobs makes one of each
SELECT parent.id, parent.failed, count(*) AS retries, array_agg(retry.id) AS ids, array_agg(retry.total) AS totals
FROM jobs retry JOIN jobs parent ON parent.account_id = retry.account_id AND parent.id = retry.parent_id
WHERE retry.accepted_at IS NOT NULL AND retry.finished_at IS NOT NULL
GROUP BY parent.account_id, parent.id, parent.failed
HAVING count(*) FILTER (WHERE retry.idempotency_key LIKE E'\x1f%') > 1
    OR bool_or(retry.total <> parent.failed) FILTER (WHERE retry.state NOT IN ('failed', 'cancelled'));

-- name: no job is in progress
SELECT id, state, total, parts, split_parts, error_code FROM jobs WHERE finished_at IS NULL;

-- name: no lease, running chunk or pending stream is left
SELECT 'job' AS what, id::text, state FROM jobs WHERE lease_until IS NOT NULL
UNION ALL
SELECT 'chunk', job_id::text, state FROM chunks WHERE state = 'running' OR lease_until IS NOT NULL OR worker_id IS NOT NULL
UNION ALL
SELECT 'stream', account_id || ' ' || stream, pending::text FROM streams WHERE pending <> 0
UNION ALL
SELECT 'turn', account_id::text, virtual_time::text FROM account_turns WHERE active;

-- name: an upload that was not accepted leaves no parts, chunks or key
SELECT j.id, j.state, j.idempotency_key, count(p.part) AS parts
FROM jobs j LEFT JOIN parts p ON p.account_id = j.account_id AND p.job_id = j.id
WHERE j.accepted_at IS NULL AND j.finished_at IS NOT NULL
GROUP BY j.account_id, j.id HAVING count(p.part) > 0 OR j.idempotency_key IS NOT NULL;

-- name: a part belongs to a job
SELECT p.job_id, p.part FROM parts p
WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.account_id = p.account_id AND j.id = p.job_id);

-- name: the jobs of a stream ran one after the other
SELECT id, stream, stream_position, started_at, earlier FROM (
    SELECT id, stream, stream_position, started_at, max(finished_at) OVER (
        PARTITION BY account_id, stream ORDER BY stream_position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS earlier
    FROM jobs WHERE started_at IS NOT NULL AND accepted_at IS NOT NULL
) runs WHERE started_at < earlier;

-- name: no span of a window holds more items than the limit
SELECT g.account_id, g.at, a.item_limit, sum(e.items) AS items
FROM accounts a
JOIN grants g ON g.account_id = a.id
JOIN grants e ON e.account_id = g.account_id AND e.at BETWEEN g.at - make_interval(secs => a.window_seconds) AND g.at
WHERE a.item_limit > 0
GROUP BY g.account_id, g.at, a.item_limit HAVING sum(e.items) > a.item_limit;

-- name: no span of a window holds more requests than the limit
SELECT w.account_id, w.at, a.request_limit, sum(e.requests) AS requests
FROM accounts a
JOIN admissions w ON w.account_id = a.id
JOIN admissions e ON e.account_id = w.account_id
    AND e.at BETWEEN w.at - make_interval(secs => a.window_seconds) AND w.at
WHERE a.request_limit > 0
GROUP BY w.account_id, w.at, a.request_limit HAVING sum(e.requests) > a.request_limit;

-- name: every accepted job of an account with a limit was admitted
SELECT a.id, COALESCE(w.requests, 0) AS admitted, j.jobs AS accepted
FROM accounts a
JOIN (SELECT account_id, count(*) AS jobs FROM jobs WHERE accepted_at IS NOT NULL AND parent_id IS NULL GROUP BY account_id) j
    ON j.account_id = a.id
LEFT JOIN (SELECT account_id, sum(requests) AS requests FROM admissions GROUP BY account_id) w ON w.account_id = a.id
WHERE a.request_limit > 0 AND COALESCE(w.requests, 0) < j.jobs;

-- name: every applied item of an account with a limit was granted
SELECT a.id, COALESCE(g.items, 0) AS granted, c.items AS applied
FROM accounts a
JOIN (
    SELECT c.account_id, sum(c.items) AS items FROM chunks c
    JOIN jobs j ON j.account_id = c.account_id AND j.id = c.job_id
    WHERE c.state = 'done' AND NOT j.dry_run GROUP BY c.account_id
) c ON c.account_id = a.id
LEFT JOIN (SELECT account_id, sum(items) AS items FROM grants GROUP BY account_id) g ON g.account_id = a.id
WHERE a.item_limit > 0 AND COALESCE(g.items, 0) < c.items;

-- name: the numbers of ended jobs, and of those that can be retried, are those of the jobs
WITH facets AS (
    SELECT j.account_id, t.tag, n.name, j.operation, s.state, date_bin('1 hour', j.received_at, 'epoch') AS hour, j.id, j.received_at
    FROM jobs j
    CROSS JOIN LATERAL unnest(array_prepend('', j.tags)) t (tag)
    CROSS JOIN LATERAL unnest(ARRAY['', j.name]) n (name)
    CROSS JOIN LATERAL unnest(ARRAY[j.state, CASE WHEN j.failed > 0 AND NOT EXISTS (
        SELECT FROM jobs r WHERE r.parent_id = j.id AND r.account_id = j.account_id AND r.accepted_at IS NOT NULL
    ) THEN 'retryable ' || j.state END]) s (state)
    WHERE j.finished_at IS NOT NULL AND n.name IS NOT NULL AND s.state IS NOT NULL
), counted AS (
    SELECT account_id, tag, name, operation, state, hour, count(*)::bigint AS jobs FROM facets GROUP BY 1, 2, 3, 4, 5, 6
), kept AS (
    SELECT account_id, tag, name, operation, state, hour, sum(jobs)::bigint AS jobs FROM job_numbers
    GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(jobs) <> 0
)
(SELECT 'not counted' AS what, * FROM (TABLE counted EXCEPT TABLE kept) missing)
UNION ALL
(SELECT 'counted too often', * FROM (TABLE kept EXCEPT TABLE counted) surplus)
UNION ALL
(SELECT 'not in the history', account_id, tag, name, operation, state, received_at, 0 FROM (
    SELECT account_id, tag, name, operation, state, received_at, id FROM facets
    EXCEPT SELECT account_id, tag, name, operation, state, received_at, job_id FROM job_history) missing)
UNION ALL
(SELECT 'only in the history', account_id, tag, name, operation, state, received_at, 0 FROM (
    SELECT account_id, tag, name, operation, state, received_at, job_id FROM job_history
    EXCEPT SELECT account_id, tag, name, operation, state, received_at, id FROM facets) surplus);

-- name: the numbers of members are those of the memberships
SELECT o.kind, o.id, o.contact_count, count(m.contact_id) AS members
FROM (
    SELECT 'list' AS kind, account_id, id, contact_count FROM contact_lists
    UNION ALL SELECT 'label', account_id, id, contact_count FROM labels
    UNION ALL SELECT 'audience', account_id, id, contact_count FROM audiences
) o
LEFT JOIN memberships m ON m.account_id = o.account_id AND m.kind = o.kind AND m.owner_id = o.id
GROUP BY o.kind, o.account_id, o.id, o.contact_count HAVING count(m.contact_id) <> o.contact_count;

-- name: a membership or an opt-in belongs to a contact
SELECT 'membership' AS what, m.account_id, m.contact_id FROM memberships m
WHERE NOT EXISTS (SELECT FROM contacts c WHERE c.account_id = m.account_id AND c.id = m.contact_id)
UNION ALL
SELECT 'opt-in', o.account_id, o.contact_id FROM opt_ins o
WHERE NOT EXISTS (SELECT FROM contacts c WHERE c.account_id = o.account_id AND c.id = o.contact_id);
