-- Record an attempt, if the token is still that of the delivery: its state, when the next attempt is due, and what it means for
-- the webhook. A webhook whose endpoint is gone, or has failed for @failing_days@ days and at least @least_failures@ times, is
-- switched off. With `p_ours`, an error of ours was in the way of the attempt: it is counted as such, and never against the
-- webhook. Returns why it was switched off by this attempt; null: it was not.
CREATE OR REPLACE FUNCTION record_attempt(
    p_account_id bigint, p_webhook_id text, p_number bigint, p_token bigint, p_state text, p_delay_seconds double precision,
    p_gone boolean, p_attempt jsonb, p_ours boolean DEFAULT false
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hook record;
    reason text;
BEGIN
    SELECT w.state, w.ordered, w.failures, w.failing_since INTO hook FROM webhooks w
    WHERE w.account_id = p_account_id AND w.id = p_webhook_id FOR UPDATE;
    IF hook IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE webhook_deliveries d SET
        state = p_state, token = NULL, lease_until = NULL,
        tries = d.tries + CASE WHEN p_ours THEN 0 ELSE 1 END, faults = d.faults + CASE WHEN p_ours THEN 1 ELSE 0 END,
        due_at = clock_timestamp() + make_interval(secs => p_delay_seconds),
        ended_at = CASE WHEN p_state <> 'waiting' THEN clock_timestamp() END,
        attempts = CASE WHEN jsonb_array_length(d.attempts) >= @kept_attempts@ THEN d.attempts - 0 ELSE d.attempts END || p_attempt
    WHERE d.account_id = p_account_id AND d.webhook_id = p_webhook_id AND d.number = p_number
      AND (d.token = p_token AND d.state = 'sending') IS TRUE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    reason := CASE
        WHEN hook.state <> 'on' OR p_ours THEN NULL
        WHEN p_gone THEN 'gone'
        WHEN p_state <> 'delivered' AND hook.failures + 1 >= @least_failures@
            AND hook.failing_since < now() - make_interval(days => @failing_days@) THEN 'failing'
    END;
    UPDATE webhooks w SET
        failures = CASE WHEN p_ours THEN w.failures WHEN p_state = 'delivered' THEN 0 ELSE w.failures + 1 END,
        failing_since = CASE WHEN p_ours THEN w.failing_since WHEN p_state = 'delivered' THEN NULL ELSE COALESCE(w.failing_since, now()) END,
        state = CASE WHEN reason IS NULL THEN w.state ELSE 'off' END,
        off_reason = COALESCE(reason, w.off_reason),
        off_at = CASE WHEN reason IS NULL THEN w.off_at ELSE now() END,
        due_at = CASE WHEN reason IS NULL AND w.state = 'on'
            THEN next_delivery(p_account_id, p_webhook_id, hook.ordered) END
    WHERE w.account_id = p_account_id AND w.id = p_webhook_id;
    RETURN reason;
END
$$;
