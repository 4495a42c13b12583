-- name: create(account_id, name)^
-- Violates teams_name if the name is taken.
INSERT INTO teams (account_id, name) VALUES (:account_id, :name) RETURNING *;

-- name: get(account_id, id)^
SELECT * FROM teams WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id;

-- name: page(account_id, after, size)
-- Ordered by id, after the given id.
SELECT * FROM teams WHERE account_id = :account_id AND id > :after ORDER BY id LIMIT :size;

-- name: rename(account_id, id, name)^
-- No row: no such team. Violates teams_name if the name is taken.
UPDATE teams SET name = :name, updated_at = now()
WHERE account_id = :account_id AND id = :id
RETURNING *;

-- name: lock(account_id, id)$
-- Lock before a delete. Waits for transactions that assign the team to a label or a contact. Null: no such team.
SELECT id FROM teams WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id FOR UPDATE;

-- name: in_use(account_id, id)$
-- Whether a label or a contact belongs to the team.
SELECT EXISTS (SELECT FROM labels WHERE account_id = :account_id AND team_id = :id)
    OR EXISTS (SELECT FROM contacts WHERE account_id = :account_id AND team_id = :id);

-- name: delete(account_id, id)!
-- The caller has locked it.
DELETE FROM teams WHERE (account_id = :account_id) IS TRUE AND ctid = (
    SELECT ctid FROM teams WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id);

-- name: lock_shared(account_id, id)$
-- Lock against deletion before the team is assigned to a label or a contact. Null: no such team.
SELECT id FROM teams WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id FOR KEY SHARE;
