-- name: cells(account_id, id, most)
-- The chunks of a job in at most `most` cells of as many chunks, in the order of items.
SELECT min(n.first_index) AS first_index, sum(n.items)::bigint AS items, count(*) AS chunks,
    count(*) FILTER (WHERE n.state = 'running') AS running, count(*) FILTER (WHERE n.state = 'done') AS done,
    count(*) FILTER (WHERE n.state = 'cancelled') AS cancelled
FROM (
    SELECT first_index, items, state, row_number() OVER (ORDER BY first_index) - 1 AS place, count(*) OVER () AS chunks
    FROM chunks WHERE account_id = :account_id AND job_id = :id
) n
GROUP BY n.place * LEAST(:most::bigint, n.chunks) / n.chunks
ORDER BY 1;

-- name: paces(account_id, id, begun_at, seconds)
-- The items that were applied in each span of `seconds` after `begun_at`.
SELECT floor(extract(epoch FROM done_at - :begun_at::timestamptz) / :seconds::float8)::int AS span, sum(items)::bigint AS items
FROM chunks
WHERE account_id = :account_id AND job_id = :id AND (state = 'done') IS TRUE AND done_at IS NOT NULL
GROUP BY 1;

-- name: source(account_id, id)^
SELECT params, format, bytes, parallel, cancel_requested_at FROM jobs WHERE account_id = :account_id AND id = :id;
