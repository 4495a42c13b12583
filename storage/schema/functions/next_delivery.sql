-- When the next delivery of a webhook is due. Null: none waits, or as many are being sent as may. An ordered webhook sends one
-- at a time, in the order of numbers; a delivery that no worker has taken in yet holds back those after it.
CREATE OR REPLACE FUNCTION next_delivery(p_account_id bigint, p_webhook_id text, p_ordered boolean)
RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$ -- not sql, because such a function plans its statement at each call
BEGIN
    IF p_ordered THEN
        RETURN (
            SELECT CASE WHEN d.state = 'waiting' THEN d.due_at END FROM webhook_deliveries d
            WHERE d.account_id = p_account_id AND d.webhook_id = p_webhook_id AND d.state IN ('new', 'waiting', 'sending')
            ORDER BY d.number LIMIT 1);
    END IF;
    IF (SELECT count(*) FROM webhook_deliveries d
        WHERE d.account_id = p_account_id AND d.webhook_id = p_webhook_id AND d.state = 'sending')
        >= (SELECT CASE WHEN w.failures >= @doubtful_failures@ THEN 1 ELSE @parallel@ END FROM webhooks w
            WHERE w.account_id = p_account_id AND w.id = p_webhook_id) THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT d.due_at FROM webhook_deliveries d
        WHERE d.account_id = p_account_id AND d.webhook_id = p_webhook_id AND d.state = 'waiting'
        ORDER BY d.due_at LIMIT 1);
END
$$;
