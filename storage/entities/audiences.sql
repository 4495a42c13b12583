-- name: create(account_id, name)^
-- Violates audiences_name if the name is taken.
INSERT INTO audiences (account_id, name) VALUES (:account_id, :name) RETURNING *;

-- name: get(account_id, id)^
SELECT * FROM audiences WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id;

-- name: page(account_id, after, size)
-- Ordered by id, after the given id.
SELECT * FROM audiences WHERE account_id = :account_id AND id > :after ORDER BY id LIMIT :size;

-- name: of_contact(account_id, contact_id, after, size)
-- The audiences of a contact, ordered by id, after the given id. OFFSET 0 forces the index on the contact, even if
-- the statistics of memberships are wrong.
SELECT o.*
FROM (SELECT * FROM memberships WHERE account_id = :account_id AND contact_id = :contact_id OFFSET 0) m
JOIN audiences o ON o.account_id = m.account_id AND o.id = m.owner_id
WHERE m.kind = 'audience' AND m.owner_id > :after
ORDER BY m.owner_id LIMIT :size;

-- name: rename(account_id, id, name)^
-- No row: no such audience. Violates audiences_name if the name is taken.
UPDATE audiences SET name = :name, updated_at = now()
WHERE account_id = :account_id AND id = :id
RETURNING *;

-- name: lock(account_id, id)$
-- Lock before a delete. Waits for transactions that add contacts. Null: no such audience.
SELECT id FROM audiences WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id FOR UPDATE;

-- name: delete(account_id, id)!
-- The caller has locked it.
DELETE FROM audiences WHERE (account_id = :account_id) IS TRUE AND ctid = (
    SELECT ctid FROM audiences WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id);

-- name: lock_shared(account_id, id)$
-- Lock against deletion before members are added. Null: no such audience.
SELECT id FROM audiences WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id FOR KEY SHARE;
