-- Leave the streams and the turns of jobs that this transaction has ended. Each array has an element for each job, in any
-- order. `p_recorded` is the stream whose jobs need the recorded changes of contacts. Returns the streams, with whether a
-- dry run waits in them, which may be next, and whether a delivery to a webhook of the account may wait. That asks for webhooks,
-- not for deliveries: after a long transaction, such as a backup, the index would lead to every one since.
--
-- This is a function, not four queries, because a job would wait for four round trips. Its statements run in the order of
-- all transactions that end jobs: streams before turns.
CREATE OR REPLACE FUNCTION leave_jobs(
    p_account_ids bigint[], p_streams text[], p_positions bigint[], p_recorded text
) RETURNS TABLE (account_id bigint, stream text, dry_run_waits boolean, webhook_waits boolean) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- forget the recorded changes unless another job of the stream is running: the next one has not begun, so all its
    -- items come after these changes
    IF p_recorded = ANY (p_streams) THEN
        DELETE FROM contact_changes h
        WHERE h.account_id = ANY (p_account_ids) AND NOT EXISTS (
            SELECT FROM jobs j WHERE j.account_id = h.account_id AND j.stream_position > 0
              AND j.stream = p_recorded AND j.state = 'running' OFFSET 0);
    END IF;
    -- Count the unfinished jobs of the streams less. The positions up to ended_position are those of ended jobs. It is
    -- computed from what this statement sees: that may be too low, if another job ends now, but not too high, because
    -- the jobs of a stream are accepted in the order of their positions.
    RETURN QUERY UPDATE streams s SET pending = s.pending - g.jobs, ended_position = GREATEST(s.ended_position, COALESCE((
        SELECT j.stream_position - 1 FROM jobs j
        WHERE j.account_id = g.account_id AND j.stream = g.stream AND j.state IN ('queued', 'running')
          AND j.stream_position > 0 AND j.stream_position > s.ended_position
        ORDER BY j.stream_position LIMIT 1), g.position))
    FROM (
        SELECT e.account_id, e.stream, count(*)::int AS jobs, max(e.position) AS position
        FROM unnest(p_account_ids, p_streams, p_positions) e (account_id, stream, position)
        GROUP BY e.account_id, e.stream
    ) g
    WHERE s.account_id = ANY (ARRAY[g.account_id]) AND s.stream = g.stream
    RETURNING s.account_id, s.stream, EXISTS (
        SELECT FROM jobs j
        WHERE j.account_id = s.account_id AND j.stream = s.stream AND j.state IN ('queued', 'running') AND j.dry_run
          AND j.stream_position > 0 AND j.stream_position > s.ended_position OFFSET 0
    ), EXISTS (SELECT FROM webhooks w WHERE w.account_id = s.account_id AND w.state = 'on' OFFSET 0);
    -- Deactivate the turns of accounts without unfinished jobs. The second statement sees what was accepted while the
    -- first one waited.
    PERFORM FROM account_turns t WHERE t.account_id = ANY (p_account_ids) ORDER BY t.account_id FOR UPDATE;
    UPDATE account_turns t SET active = false
    WHERE t.account_id = ANY (p_account_ids) AND t.active AND NOT EXISTS (
        SELECT FROM streams s WHERE s.account_id = t.account_id AND s.pending > 0 OFFSET 0);
END
$$;
