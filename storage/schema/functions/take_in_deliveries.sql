-- Take in up to `p_most` deliveries that were queued: they wait from now on, and their webhooks know. The end of a job only
-- adds rows, so it waits for no webhook. At most @taken_in_share@ of one account: others come at once, too. A delivery to a webhook
-- that was deleted meanwhile is deleted, also if its id is in use again: the life of the webhook is another one. Returns the
-- number of deliveries; null: there are none.
CREATE OR REPLACE FUNCTION take_in_deliveries(p_most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    taken record;
BEGIN
    WITH RECURSIVE accounts_with_new AS (
        (SELECT d.account_id FROM webhook_deliveries d WHERE d.state = 'new' ORDER BY d.account_id, d.number LIMIT 1)
        UNION ALL
        SELECT (
            SELECT d.account_id FROM webhook_deliveries d WHERE d.state = 'new' AND d.account_id > a.account_id
            ORDER BY d.account_id, d.number LIMIT 1)
        FROM accounts_with_new a WHERE a.account_id IS NOT NULL
    ), chosen AS MATERIALIZED (
        SELECT o.place, EXISTS (
            SELECT FROM webhooks w WHERE w.account_id = o.account_id AND w.id = o.webhook_id
              AND w.life = COALESCE(o.life, w.life) OFFSET 0) AS wanted
        FROM accounts_with_new a
        CROSS JOIN LATERAL (
            SELECT d.ctid AS place, d.account_id, d.webhook_id, d.life FROM webhook_deliveries d
            WHERE d.account_id = a.account_id AND d.state = 'new'
            ORDER BY d.number LIMIT @taken_in_share@ FOR UPDATE SKIP LOCKED
        ) o
        LIMIT p_most
    ), orphaned AS (
        DELETE FROM webhook_deliveries
        WHERE (state = 'new') IS TRUE AND ctid = ANY (ARRAY(SELECT c.place FROM chosen c WHERE NOT c.wanted))
        RETURNING 1
    ), fresh AS (
        UPDATE webhook_deliveries SET state = 'waiting'
        WHERE (state = 'new') IS TRUE AND ctid = ANY (ARRAY(SELECT c.place FROM chosen c WHERE c.wanted))
        RETURNING account_id, webhook_id, due_at
    ), due AS (
        SELECT f.account_id, f.webhook_id, min(f.due_at) AS due_at, count(*) AS deliveries FROM fresh f
        GROUP BY f.account_id, f.webhook_id
    )
    SELECT array_agg(account_id) AS account_ids, array_agg(webhook_id) AS webhook_ids, array_agg(due_at) AS due_ats,
        sum(deliveries) AS deliveries, (SELECT count(*) FROM orphaned) AS orphans INTO taken FROM due;
    IF taken.deliveries IS NOT NULL THEN
        PERFORM wake_webhooks(taken.account_ids, taken.webhook_ids, taken.due_ats);
    END IF;
    RETURN NULLIF(COALESCE(taken.deliveries, 0) + taken.orphans, 0);
END
$$;
