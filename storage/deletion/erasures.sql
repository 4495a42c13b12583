-- name: request(account_id, id, contact_id)^
-- Ask to erase a contact, and return the erasure: the one that is not complete yet, or a new one. One that is complete begins
-- again, if there is such a contact again. No row: there is no such contact, or its erasure is there; see `of_contact`.
INSERT INTO erasures AS e (account_id, id, contact_id, identifiers)
SELECT :account_id, :id, :contact_id, @identifiers@
FROM contacts c WHERE c.account_id = :account_id AND c.id BETWEEN :contact_id AND :contact_id ORDER BY c.id
ON CONFLICT (account_id, contact_id) DO UPDATE SET state = 'waiting', identifiers = EXCLUDED.identifiers, step = 0,
    after = NULL, checked = 0, erased = 0, created_at = now(), due_at = now(), finished_at = NULL
WHERE e.finished_at IS NOT NULL
RETURNING *;

-- name: of_contact(account_id, contact_id)^
SELECT * FROM erasures WHERE account_id = :account_id AND contact_id = :contact_id;

-- name: get(account_id, id)^
SELECT * FROM erasures WHERE account_id = :account_id AND id = :id;

-- name: due(far_seconds)^
-- Lock the erasure whose next step is due for the longest time. A time that is far ahead is of a clock that was set back since.
SELECT * FROM erasures
WHERE finished_at IS NULL AND (due_at <= now() OR due_at > now() + make_interval(secs => :far_seconds))
ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED;

-- name: record(account_id, id, state, step, after, identifiers, checked, erased, wait_seconds)!
-- Record a step, in its transaction.
UPDATE erasures SET state = :state, step = :step, after = :after::jsonb, identifiers = :identifiers::jsonb,
    checked = checked + :checked, erased = erased + :erased,
    due_at = clock_timestamp() + make_interval(secs => :wait_seconds),
    finished_at = CASE WHEN :state = 'completed' THEN clock_timestamp() END
WHERE account_id = :account_id AND id = :id;

-- name: postpone(account_id, id, seconds)!
-- Let other erasures come first, after an error.
UPDATE erasures SET due_at = clock_timestamp() + make_interval(secs => :seconds) WHERE account_id = :account_id AND id = :id;

-- name: identifiers(account_id, contact_id)$
-- Lock a contact against changes, and return by what it is known now. Null: there is no such contact.
SELECT @identifiers@ FROM contacts c
WHERE c.account_id = :account_id AND c.id BETWEEN :contact_id AND :contact_id ORDER BY c.id FOR UPDATE;
