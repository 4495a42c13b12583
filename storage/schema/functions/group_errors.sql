-- Maintain error_groups. The trigger on item_errors calls this function once per statement; `added` holds the new rows.
-- Each statement adds rows of its own, so parallel chunks do not wait for each other.
CREATE OR REPLACE FUNCTION group_errors() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM added) THEN
        INSERT INTO error_groups (account_id, job_id, first_index, code, field, errors, examples)
        SELECT account_id, job_id, min(item_index), code, field, count(*),
            (array_agg(item_index ORDER BY item_index))[1:@examples@]
        FROM added GROUP BY account_id, job_id, code, field;
    END IF;
    RETURN NULL;
END
$$;
