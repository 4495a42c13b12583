-- End jobs whose only chunk is applied, or is cancelled because its client has cancelled the job. Leave their streams and
-- turns, and delete their parts, which are small and which nothing reads after the end. They end at one moment, and one
-- that followed another job of its stream starts at that moment, too. Jobs are locked in the order of accounts. A job is
-- absent from the result if it was stopped for another reason than a cancellation by its client, if it has other chunks or
-- has ended, or, unless it is cancelled, if a dry run of its account is running.
--
-- It counts the jobs that it ends by one statement, and queues their deliveries to webhooks by it, in place of the triggers
-- job_ended and job_ended_webhooks, which take as long for each job as this takes for all.
CREATE OR REPLACE FUNCTION end_small_jobs(p_account_ids bigint[], p_ids uuid[], p_recorded text)
RETURNS TABLE (account_id bigint, id uuid, state text, dry_run_waits boolean, webhook_waits boolean) LANGUAGE plpgsql
SET bulklane.counts_ends = 'on' AS $$
#variable_conflict use_column
DECLARE
    moment timestamptz := clock_timestamp();
    ended record;
BEGIN
    WITH ending AS MATERIALIZED (
        SELECT e.account_id, e.id
        FROM (SELECT * FROM unnest(p_account_ids, p_ids) u (account_id, id) ORDER BY u.account_id, u.id) e
        CROSS JOIN LATERAL (
            SELECT FROM jobs j
            WHERE j.account_id = e.account_id AND j.id = e.id
              AND (j.state IN ('queued', 'running')) IS TRUE AND j.error_code IS NULL
              AND (NOT j.dry_run) IS TRUE AND NOT leased(j.lease_until)
              AND (j.cancel_requested_at IS NOT NULL
                   OR NOT EXISTS (SELECT FROM running_dry_runs r WHERE r.account_id = j.account_id OFFSET 0))
            OFFSET 0 FOR UPDATE OF j
        ) locked
    ), done AS (
        UPDATE jobs j SET
            created = c.created, updated = c.updated, unchanged = c.unchanged, merged = c.merged, skipped = c.skipped,
            failed = c.failed, added = c.added, removed = c.removed,
            cancelled = CASE c.state WHEN 'cancelled' THEN c.items ELSE 0 END,
            state = CASE WHEN c.state = 'cancelled' THEN 'cancelled'
                         WHEN c.failed > 0 THEN 'completed_with_errors' ELSE 'completed' END,
            started_at = COALESCE(j.started_at, CASE c.state WHEN 'done' THEN moment END), finished_at = moment,
            lease_until = NULL, token = NULL, throttled_until = NULL, failures = 0, retry_at = NULL
        FROM ending e
        CROSS JOIN LATERAL (
            SELECT * FROM chunks o
            WHERE o.account_id = e.account_id AND o.job_id = e.id AND o.first_index = 0
              AND o.state IN ('done', 'cancelled') OFFSET 0
        ) c
        WHERE j.account_id = ANY (ARRAY[e.account_id]) AND j.id = e.id AND j.total = c.items
        RETURNING j.account_id, j.id, j.state, j.stream, j.stream_position, j.operation, j.received_at, j.name, j.tags,
            j.failed
    ), history AS (
        INSERT INTO job_history (account_id, tag, name, operation, state, received_at, job_id)
        SELECT d.account_id, f.tag, f.name, d.operation, f.state, d.received_at, d.id
        FROM done d CROSS JOIN LATERAL job_facets(d.tags, d.name, d.state, d.failed > 0) f
        RETURNING account_id, tag, name, date_bin('1 hour', received_at, 'epoch') AS hour, operation, state
    ), counted AS (
        INSERT INTO job_count_changes (account_id, tag, name, hour, operation, state, jobs)
        SELECT h.account_id, h.tag, h.name, h.hour, h.operation, h.state, count(*) FROM history h
        GROUP BY h.account_id, h.tag, h.name, h.hour, h.operation, h.state
    ), told AS (
        INSERT INTO webhook_deliveries (account_id, webhook_id, life, event, job_id)
        SELECT d.account_id, w.id, w.life, 'job.' || d.state, d.id
        FROM done d
        CROSS JOIN LATERAL (
            SELECT id, life FROM webhooks h
            WHERE h.account_id = d.account_id AND h.state = 'on' AND 'job.' || d.state = ANY (h.events) OFFSET 0
        ) w
        ORDER BY d.account_id, d.stream, d.stream_position, w.id
    )
    SELECT array_agg(d.account_id) AS account_ids, array_agg(d.id) AS ids, array_agg(d.state) AS states,
        array_agg(d.stream) AS streams, array_agg(d.stream_position) AS positions
    INTO ended FROM done d;
    IF ended.ids IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT e.account_id, e.id, e.state, l.dry_run_waits, l.webhook_waits
    FROM unnest(ended.account_ids, ended.ids, ended.states, ended.streams) e (account_id, id, state, stream)
    JOIN leave_jobs(ended.account_ids, ended.streams, ended.positions, p_recorded) l
        ON l.account_id = e.account_id AND l.stream = e.stream;
    DELETE FROM parts p USING unnest(ended.account_ids, ended.ids) e (account_id, id)
    WHERE p.account_id = ANY (ARRAY[e.account_id]) AND p.job_id = e.id;
END
$$;
