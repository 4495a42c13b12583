-- name: create(account_id, id, url, events, ordered, description, secret, most)^
-- No row: the account has `most` webhooks, or one with this id. The lock of the account lets one creation at a time count.
WITH account AS MATERIALIZED (
    SELECT id FROM accounts WHERE id = :account_id FOR UPDATE
)
INSERT INTO webhooks (account_id, id, url, events, ordered, description, secret)
SELECT account.id, :id, :url, :events, :ordered, :description, :secret FROM account
WHERE (SELECT count(*) FROM webhooks WHERE account_id = :account_id) < :most
ON CONFLICT (account_id, id) DO NOTHING
RETURNING *;

-- name: get(account_id, id)^
SELECT * FROM webhooks WHERE account_id = :account_id AND id = :id;

-- name: page(account_id, after, size)
-- Ordered by id, after the given id.
SELECT * FROM webhooks WHERE account_id = :account_id AND id > :after ORDER BY id LIMIT :size;

-- name: change(account_id, id, url, events, ordered, description, set_description, state)^
-- Change what is not null, and the description if `set_description`. A webhook that is switched on again has no failures, and
-- its deliveries are due at once. No row: no such webhook.
UPDATE webhooks SET url = COALESCE(:url, url), events = COALESCE(:events::text[], events),
    ordered = COALESCE(:ordered, ordered), updated_at = now(),
    description = CASE WHEN :set_description THEN :description ELSE description END,
    state = COALESCE(:state, state),
    off_reason = CASE WHEN :state = 'on' THEN NULL WHEN :state = 'off' AND state = 'on' THEN 'client' ELSE off_reason END,
    off_at = CASE WHEN :state = 'on' THEN NULL WHEN :state = 'off' AND state = 'on' THEN now() ELSE off_at END,
    failures = CASE WHEN :state = 'on' AND state = 'off' THEN 0 ELSE failures END,
    failing_since = CASE WHEN :state = 'on' AND state = 'off' THEN NULL ELSE failing_since END,
    due_at = CASE WHEN COALESCE(:state, state) = 'on' THEN now() END
WHERE account_id = :account_id AND id = :id
RETURNING *;

-- name: rotate(account_id, id, secret, overlap_seconds)^
-- Sign with a new secret, and with the last one, too, for a time. No row: no such webhook.
UPDATE webhooks SET previous_secret = secret, previous_until = now() + make_interval(secs => :overlap_seconds), secret = :secret,
    updated_at = now()
WHERE account_id = :account_id AND id = :id
RETURNING *;

-- name: delete(account_id, id)$
-- Null: no such webhook.
DELETE FROM webhooks WHERE account_id = :account_id AND id = :id RETURNING id;

-- name: delete_deliveries(account_id, id, rows)$
-- Delete up to `rows` of the deliveries to a webhook. Returns their number. They are named by their numbers, because one that a
-- worker has just changed has another place by now.
WITH gone AS (
    DELETE FROM webhook_deliveries WHERE account_id = :account_id AND webhook_id = :id AND number = ANY (ARRAY(
        SELECT number FROM webhook_deliveries WHERE account_id = :account_id AND webhook_id = :id ORDER BY number LIMIT :rows FOR UPDATE))
    RETURNING 1
)
SELECT count(*) FROM gone;
