-- name: create(account_id, name)^
-- Violates audiences_name where the name is taken.
INSERT INTO audiences (account_id, name) VALUES (:account_id, :name) RETURNING *;

-- name: get(account_id, id)^
SELECT * FROM audiences WHERE account_id = :account_id AND id = :id;

-- name: page(account_id, after, size)
-- By id, after the given one.
SELECT * FROM audiences WHERE account_id = :account_id AND id > :after ORDER BY id LIMIT :size;

-- name: of_contact(account_id, contact_id, after, size)
-- The audiences that a contact belongs to, by id, after the given one. Found by the contact, whatever the planner
-- believes of the table: hence OFFSET 0.
SELECT o.*
FROM (SELECT * FROM memberships WHERE account_id = :account_id AND contact_id = :contact_id OFFSET 0) m
JOIN audiences o ON o.account_id = m.account_id AND o.id = m.owner_id
WHERE m.kind = 'audience' AND m.owner_id > :after
ORDER BY m.owner_id LIMIT :size;

-- name: rename(account_id, id, name)^
-- No row: no such audience. Violates audiences_name where the name is taken.
UPDATE audiences SET name = :name, updated_at = now()
WHERE account_id = :account_id AND id = :id
RETURNING *;

-- name: lock(account_id, id)$
-- Before a delete: waits for transactions that add contacts. Null: no such audience.
SELECT id FROM audiences WHERE account_id = :account_id AND id = :id FOR UPDATE;

-- name: delete(account_id, id)!
DELETE FROM audiences WHERE account_id = :account_id AND id = :id;

-- name: lock_shared(account_id, id)$
-- Before members are added: the audience is not deleted meanwhile. Null: no such audience.
SELECT id FROM audiences WHERE account_id = :account_id AND id = :id FOR KEY SHARE;
