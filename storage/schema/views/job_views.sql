-- Jobs as a client sees them: the counts (sums over the chunks until the job ends), the number of jobs ahead in the
-- stream, and the first item errors (a large value or item is null).
CREATE OR REPLACE VIEW job_views AS
SELECT j.account_id, j.id, j.operation, (j.params->>'list_id')::bigint AS list_id,
    (j.params->>'audience_id')::bigint AS audience_id, j.stream, j.state, j.total,
    j.created + live.created AS created, j.updated + live.updated AS updated,
    j.unchanged + live.unchanged AS unchanged, j.merged + live.merged AS merged,
    j.skipped + live.skipped AS skipped, j.failed + live.failed AS failed,
    j.cancelled + live.cancelled AS cancelled, j.added + live.added AS added, j.removed + live.removed AS removed,
    ahead.jobs AS ahead, a.item_limit, a.window_seconds, j.throttled_until, j.error_code, j.error_message,
    problems.first_errors, j.dry_run, j.parent_id, j.request_id,
    j.received_at, j.accepted_at, j.started_at, j.finished_at, j.name, j.tags, j.file_name,
    j.params->>'max_errors' AS max_errors, j.trace, (j.params->>'undoes')::uuid AS undoes
FROM jobs j
JOIN accounts a ON a.id = j.account_id
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(c.created), 0) AS created, COALESCE(sum(c.updated), 0) AS updated,
        COALESCE(sum(c.unchanged), 0) AS unchanged, COALESCE(sum(c.merged), 0) AS merged,
        COALESCE(sum(c.skipped), 0) AS skipped, COALESCE(sum(c.failed), 0) AS failed,
        COALESCE(sum(c.added), 0) AS added, COALESCE(sum(c.removed), 0) AS removed,
        COALESCE(sum(c.items) FILTER (WHERE c.state = 'cancelled'), 0) AS cancelled
    FROM chunks c
    WHERE (j.state = 'running' OR j.state = 'queued' AND j.cancel_requested_at IS NOT NULL)
      AND c.account_id = j.account_id AND c.job_id = j.id AND c.state IN ('done', 'cancelled')
) live
CROSS JOIN LATERAL (
    SELECT count(*) AS jobs FROM jobs e
    WHERE e.account_id = j.account_id AND e.stream = j.stream AND e.state IN ('queued', 'running')
      AND e.stream_position < j.stream_position AND j.state IN ('queued', 'running')
      AND e.stream_position > 0 AND e.stream_position > (
        SELECT s.ended_position FROM streams s WHERE s.account_id = j.account_id AND s.stream = j.stream)
) ahead
CROSS JOIN LATERAL (
    SELECT json_agg(f) AS first_errors FROM (
        SELECT item_index AS index, ref, field, code, message,
            CASE WHEN octet_length(value::text) <= @large_bytes@ THEN value END AS value,
            CASE WHEN octet_length(item::text) <= @large_bytes@ THEN item END AS item
        FROM item_errors e
        WHERE e.account_id = j.account_id AND e.job_id = j.id
        ORDER BY item_index LIMIT @first_errors@
    ) f
) problems;
