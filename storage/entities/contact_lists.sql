-- name: create(account_id, name)^
-- Violates contact_lists_name if the name is taken, also by an archived list.
INSERT INTO contact_lists (account_id, name) VALUES (:account_id, :name) RETURNING *;

-- name: get(account_id, id)^
SELECT * FROM contact_lists WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id;

-- name: page(account_id, archived, after, size)
-- The archived or the active lists, ordered by id, after the given id.
SELECT * FROM contact_lists
WHERE account_id = :account_id AND id > :after AND (archived_at IS NOT NULL) = :archived
ORDER BY id LIMIT :size;

-- name: of_contact(account_id, contact_id, after, size)
-- The lists of a contact, ordered by id, after the given id. OFFSET 0 forces the index on the contact, even if the
-- statistics of memberships are wrong.
SELECT o.*
FROM (SELECT * FROM memberships WHERE account_id = :account_id AND contact_id = :contact_id OFFSET 0) m
JOIN contact_lists o ON o.account_id = m.account_id AND o.id = m.owner_id
WHERE m.kind = 'list' AND m.owner_id > :after
ORDER BY m.owner_id LIMIT :size;

-- name: rename(account_id, id, name)^
-- No row: no such list. Violates contact_lists_name if the name is taken.
UPDATE contact_lists SET name = :name, updated_at = now()
WHERE account_id = :account_id AND id = :id
RETURNING *;

-- name: archive(account_id, id)^
-- No row: no such list, or it is already archived.
UPDATE contact_lists SET archived_at = now(), updated_at = now()
WHERE account_id = :account_id AND id = :id AND archived_at IS NULL
RETURNING *;

-- name: unarchive(account_id, id)^
-- No row: no such list, or it is already active.
UPDATE contact_lists SET archived_at = NULL, updated_at = now()
WHERE account_id = :account_id AND id = :id AND archived_at IS NOT NULL
RETURNING *;
