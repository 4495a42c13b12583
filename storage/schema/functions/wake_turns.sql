-- Move up to `p_most` accounts whose delay by the window is over back to the turns that are due. A claim does this before
-- it looks for a turn, so it reads no account that still waits. A delay is also over if it began in the future: the clock
-- was set back since. Turns that are locked are skipped, because a claim or a cancellation is at them.
CREATE OR REPLACE FUNCTION wake_turns(p_most integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    over bigint[];
BEGIN
    SELECT ARRAY(
        SELECT account_id FROM account_turns WHERE ready_at > throttled_at AND ready_at < moment
        ORDER BY ready_at LIMIT p_most FOR UPDATE SKIP LOCKED
    ) || ARRAY(
        SELECT account_id FROM account_turns WHERE ready_at > throttled_at AND throttled_at > moment
        ORDER BY throttled_at DESC LIMIT p_most FOR UPDATE SKIP LOCKED
    ) INTO over;
    IF over <> '{}' THEN
        UPDATE account_turns SET ready_at = throttled_at WHERE account_id = ANY (over);
    END IF;
END
$$;
