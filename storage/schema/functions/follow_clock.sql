-- Notice that the clock was set back, and make all deliveries due as much earlier: no retry waits for longer than it was told to.
-- Each worker asks again and again, and the row of `rounds` has the last time that one of them saw, so a step counts once. Returns
-- the seconds by which the clock was set back; null: it was not. A step of less than @least_step_seconds@ seconds is left alone. One forward is
-- none of ours to undo: retries are made early then.
CREATE OR REPLACE FUNCTION follow_clock() RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
    seen timestamptz;
    step interval;
BEGIN
    SELECT begun_at INTO seen FROM rounds WHERE what = 'clock of deliveries';
    IF seen BETWEEN clock_timestamp() - interval '@look_seconds@ s' AND clock_timestamp() THEN
        RETURN NULL; -- another worker has just looked
    END IF;
    INSERT INTO rounds (what, begun_at) VALUES ('clock of deliveries', '-infinity') ON CONFLICT (what) DO NOTHING;
    SELECT begun_at INTO seen FROM rounds WHERE what = 'clock of deliveries' FOR UPDATE;
    UPDATE rounds SET begun_at = clock_timestamp() WHERE what = 'clock of deliveries';
    IF seen < clock_timestamp() + interval '@least_step_seconds@ s' THEN
        RETURN NULL;
    END IF;
    step := seen - clock_timestamp();
    PERFORM FROM webhooks WHERE due_at IS NOT NULL ORDER BY account_id, id FOR UPDATE;
    UPDATE webhooks SET due_at = due_at - step WHERE due_at > clock_timestamp();
    UPDATE webhook_deliveries SET due_at = due_at - step
    WHERE state IN ('new', 'waiting', 'sending') AND (state <> 'sending') IS TRUE AND due_at > clock_timestamp();
    RETURN extract('epoch' FROM step);
END
$$;
