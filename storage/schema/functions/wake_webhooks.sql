-- Note on webhooks that deliveries of them wait and are due at these times. The webhooks are locked in one order.
CREATE OR REPLACE FUNCTION wake_webhooks(p_account_ids bigint[], p_webhook_ids text[], p_due_ats timestamptz[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM (
        SELECT DISTINCT account_id, webhook_id FROM unnest(p_account_ids, p_webhook_ids) u (account_id, webhook_id)
        ORDER BY account_id, webhook_id
    ) u
    CROSS JOIN LATERAL (
        SELECT FROM webhooks w WHERE w.account_id = u.account_id AND w.id = u.webhook_id OFFSET 0 FOR UPDATE) locked;
    UPDATE webhooks w SET due_at = LEAST(w.due_at, d.due_at)
    FROM (
        SELECT u.account_id, u.webhook_id, min(u.due_at) AS due_at
        FROM unnest(p_account_ids, p_webhook_ids, p_due_ats) u (account_id, webhook_id, due_at)
        GROUP BY u.account_id, u.webhook_id
    ) d
    WHERE w.account_id = ANY (ARRAY[d.account_id]) AND w.id = d.webhook_id AND w.state = 'on';
END
$$;
