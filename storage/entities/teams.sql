-- name: create(account_id, name)^
-- Violates teams_name where the name is taken.
INSERT INTO teams (account_id, name) VALUES (:account_id, :name) RETURNING *;

-- name: get(account_id, id)^
SELECT * FROM teams WHERE account_id = :account_id AND id = :id;

-- name: page(account_id, after, size)
-- By id, after the given one.
SELECT * FROM teams WHERE account_id = :account_id AND id > :after ORDER BY id LIMIT :size;

-- name: rename(account_id, id, name)^
-- No row: no such team. Violates teams_name where the name is taken.
UPDATE teams SET name = :name, updated_at = now()
WHERE account_id = :account_id AND id = :id
RETURNING *;

-- name: lock(account_id, id)$
-- Before a delete: waits for transactions that give the team to a label or a contact. Null: no such team.
SELECT id FROM teams WHERE account_id = :account_id AND id = :id FOR UPDATE;

-- name: in_use(account_id, id)$
-- Whether a label or a contact carries it.
SELECT EXISTS (SELECT FROM labels WHERE account_id = :account_id AND team_id = :id)
    OR EXISTS (SELECT FROM contacts WHERE account_id = :account_id AND team_id = :id);

-- name: delete(account_id, id)!
DELETE FROM teams WHERE account_id = :account_id AND id = :id;

-- name: lock_shared(account_id, id)$
-- Before the team is given to a label or a contact: it is not deleted meanwhile. Null: no such team.
SELECT id FROM teams WHERE account_id = :account_id AND id = :id FOR KEY SHARE;
