-- name: page(account_id, webhook_id, states, before, size)
-- The newest first, before a number. Reads the newest of each state.
SELECT d.* FROM unnest(:states::text[]) s (state)
CROSS JOIN LATERAL (
    SELECT * FROM webhook_deliveries o
    WHERE o.account_id = :account_id AND o.webhook_id = :webhook_id AND o.state = s.state AND o.number < :before
    ORDER BY o.number DESC LIMIT :size
) d
ORDER BY d.number DESC LIMIT :size;

-- name: get(account_id, webhook_id, id)^
SELECT * FROM webhook_deliveries WHERE account_id = :account_id AND webhook_id = :webhook_id AND id = :id;

-- name: queue_test(account_id, webhook_id, event)^
-- No row: no such webhook.
INSERT INTO webhook_deliveries (account_id, webhook_id, life, event)
SELECT account_id, id, life, :event FROM webhooks WHERE account_id = :account_id AND id = :webhook_id
RETURNING *;

-- name: replay(account_id, webhook_id, id)^
-- Queue a delivery that has ended again, with its id and all its attempts still to make. No row: there is none that has ended.
UPDATE webhook_deliveries
SET state = 'new', tries = 0, faults = 0, due_at = clock_timestamp(), queued_at = clock_timestamp(), ended_at = NULL
WHERE account_id = :account_id AND webhook_id = :webhook_id AND id = :id AND state IN ('delivered', 'failed')
RETURNING *;

-- name: replay_failed(account_id, webhook_id, since, rows)$
-- Queue up to `rows` of the deliveries again that were made since a time and have failed. Returns their number.
-- IS TRUE: the rows are read by their places, not along the index of all that have failed.
WITH again AS (
    UPDATE webhook_deliveries
    SET state = 'new', tries = 0, faults = 0, due_at = clock_timestamp(), queued_at = clock_timestamp(), ended_at = NULL
    WHERE (state = 'failed') IS TRUE AND ctid = ANY (ARRAY(
        SELECT ctid FROM webhook_deliveries
        WHERE account_id = :account_id AND webhook_id = :webhook_id AND state = 'failed' AND created_at >= :since
        ORDER BY created_at LIMIT :rows FOR UPDATE SKIP LOCKED))
    RETURNING 1
)
SELECT count(*) FROM again;

-- name: newest(account_id)
-- The newest delivery to each webhook of the account that has one.
SELECT d.* FROM webhooks w
CROSS JOIN LATERAL (
    SELECT * FROM webhook_deliveries o WHERE o.account_id = w.account_id AND o.webhook_id = w.id
    ORDER BY o.number DESC LIMIT 1
) d
WHERE w.account_id = :account_id;
