-- Give positions to `p_jobs` accepted jobs of a stream, and activate the account's turn. Returns the last of the positions
-- and the number of unfinished jobs of the stream. The row of the stream stays locked until COMMIT, so the order of positions
-- is the order of commits. The stream is locked before the turn, as where a job ends.
CREATE OR REPLACE FUNCTION enter_stream(p_account_id bigint, p_stream text, p_jobs integer)
RETURNS TABLE (last_position bigint, pending integer) LANGUAGE plpgsql ROWS 1 AS $$
#variable_conflict use_column
DECLARE
    moment timestamptz;
BEGIN
    INSERT INTO streams AS s (account_id, stream, last_position, pending)
    VALUES (p_account_id, p_stream, p_jobs, p_jobs)
    ON CONFLICT (account_id, stream)
        DO UPDATE SET last_position = s.last_position + p_jobs, pending = s.pending + p_jobs
    RETURNING s.last_position, s.pending INTO enter_stream.last_position, enter_stream.pending;
    moment := clock_timestamp(); -- later times are from before the clock was set back
    UPDATE account_turns t SET
        active = true,
        virtual_time = CASE WHEN t.active THEN t.virtual_time ELSE GREATEST(t.virtual_time, (
            SELECT c.start_tag FROM account_turns c WHERE c.served_at <= moment
            ORDER BY c.served_at DESC NULLS LAST LIMIT 1)) END
    WHERE t.account_id = p_account_id;
    RETURN NEXT;
END
$$;
