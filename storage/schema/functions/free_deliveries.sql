-- Give back deliveries whose leases are still these: those of dead workers, or of one that stops. They are due at once, and the
-- attempt, whose outcome nobody knows, does not count. Returns their number.
CREATE OR REPLACE FUNCTION free_deliveries(
    p_account_ids bigint[], p_webhook_ids text[], p_numbers bigint[], p_tokens bigint[]
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    freed integer;
BEGIN
    PERFORM wake_webhooks(p_account_ids, p_webhook_ids, array_fill(clock_timestamp(), ARRAY[cardinality(p_account_ids)]));
    UPDATE webhook_deliveries d SET state = 'waiting', token = NULL, lease_until = NULL, due_at = clock_timestamp()
    FROM unnest(p_account_ids, p_webhook_ids, p_numbers, p_tokens) l (account_id, webhook_id, number, token)
    WHERE d.account_id = ANY (ARRAY[l.account_id]) AND d.webhook_id = l.webhook_id AND d.number = l.number
      AND (d.token = l.token AND d.state = 'sending') IS TRUE;
    GET DIAGNOSTICS freed = ROW_COUNT;
    RETURN freed;
END
$$;
