-- name: create(account_id, name)^
-- Violates audiences_name where the name is taken.
INSERT INTO audiences (account_id, name) VALUES (:account_id, :name) RETURNING *;

-- name: get(account_id, id)^
SELECT * FROM audiences WHERE account_id = :account_id AND id = :id;

-- name: page(account_id, after, size)
-- By id, after the given one.
SELECT * FROM audiences WHERE account_id = :account_id AND id > :after ORDER BY id LIMIT :size;

-- name: rename(account_id, id, name)^
-- No row: no such audience. Violates audiences_name where the name is taken.
UPDATE audiences SET name = :name, updated_at = now()
WHERE account_id = :account_id AND id = :id
RETURNING *;

-- name: lock(account_id, id)$
-- Before a delete: waits for those who are adding contacts. Null: no such audience.
SELECT id FROM audiences WHERE account_id = :account_id AND id = :id FOR UPDATE;

-- name: delete(account_id, id)!
DELETE FROM audiences WHERE account_id = :account_id AND id = :id;

-- name: lock_shared(account_id, id)^
-- The same of an audience.
SELECT id FROM audiences WHERE account_id = :account_id AND id = :id FOR KEY SHARE;
