-- Take in up to `p_most` deliveries that were queued: they wait from now on, and their webhooks know. The end of a job only
-- adds rows, so it waits for no webhook. Returns the number of deliveries;
-- null: there are none.
CREATE OR REPLACE FUNCTION take_in_deliveries(p_most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    taken record;
BEGIN
    WITH fresh AS (
        UPDATE webhook_deliveries SET state = 'waiting'
        WHERE state = 'new' AND ctid = ANY (ARRAY(
            SELECT ctid FROM webhook_deliveries WHERE state = 'new' ORDER BY account_id, number
            LIMIT p_most FOR UPDATE SKIP LOCKED))
        RETURNING account_id, webhook_id, due_at
    ), due AS (
        SELECT f.account_id, f.webhook_id, min(f.due_at) AS due_at, count(*) AS deliveries FROM fresh f
        GROUP BY f.account_id, f.webhook_id
    )
    SELECT array_agg(account_id) AS account_ids, array_agg(webhook_id) AS webhook_ids, array_agg(due_at) AS due_ats,
        sum(deliveries) AS deliveries INTO taken FROM due;
    IF taken.deliveries IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM wake_webhooks(taken.account_ids, taken.webhook_ids, taken.due_ats);
    RETURN taken.deliveries;
END
$$;
