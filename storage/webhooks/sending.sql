-- name: take_in(most)$
SELECT take_in_deliveries(:most);

-- name: claim(tokens, busy, lease_seconds)
SELECT * FROM claim_deliveries(:tokens, :busy, :lease_seconds);

-- name: record(account_id, webhook_id, number, token, state, delay_seconds, gone, ours, attempt)$
SELECT record_attempt(:account_id, :webhook_id, :number, :token, :state, :delay_seconds, :gone, :attempt::jsonb, :ours);

-- name: renew(account_ids, webhook_ids, numbers, tokens, lease_seconds)!
-- Renew leases that are still these.
UPDATE webhook_deliveries d SET lease_until = now() + make_interval(secs => :lease_seconds)
FROM unnest(:account_ids::bigint[], :webhook_ids::text[], :numbers::bigint[], :tokens::bigint[])
    l (account_id, webhook_id, number, token)
WHERE d.account_id = ANY (ARRAY[l.account_id]) AND d.webhook_id = l.webhook_id AND d.number = l.number
  AND (d.token = l.token AND d.state = 'sending') IS TRUE;

-- name: expired()
-- The leases that have expired. Reads all deliveries that are being sent, which are few.
SELECT account_id, webhook_id, number, token, lease_until FROM webhook_deliveries
WHERE state = 'sending' AND NOT leased(lease_until);

-- name: free(account_ids, webhook_ids, numbers, tokens)$
SELECT free_deliveries(:account_ids, :webhook_ids, :numbers, :tokens);

-- name: follow_clock()$
SELECT follow_clock();

-- name: prune(days, rows)$
-- Delete up to `rows` deliveries that were made more than `days` ago and have ended. Returns their number.
WITH gone AS (
    DELETE FROM webhook_deliveries WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM webhook_deliveries
        WHERE created_at < now() - make_interval(days => :days) AND ended_at IS NOT NULL
        ORDER BY created_at LIMIT :rows FOR UPDATE SKIP LOCKED))
    RETURNING 1
)
SELECT count(*) FROM gone;

-- name: prune_left(days, rows)$
-- Delete up to `rows` deliveries that were made more than `days` ago and have not ended: their webhooks are off. Returns their
-- number. This is a statement of its own, so that neither reads what the other one deletes, or keeps.
WITH gone AS (
    DELETE FROM webhook_deliveries WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM webhook_deliveries
        WHERE created_at < now() - make_interval(days => :days) AND ended_at IS NULL
        ORDER BY created_at LIMIT :rows FOR UPDATE SKIP LOCKED))
    RETURNING 1
)
SELECT count(*) FROM gone;
