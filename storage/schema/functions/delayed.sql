-- Whether a job must wait after an error of ours. False for null. A time that is further away than any delay was
-- written before the clock was set back; it counts as over.
CREATE OR REPLACE FUNCTION delayed(retry_at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT COALESCE(retry_at > now() AND retry_at < now() + interval '@twice_the_longest_delay@ s', false)
$$;
