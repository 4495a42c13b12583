-- name: create(account_id, name, colour, team_id)^
-- Violates labels_name if the team already has this name, and labels_team if there is no such team.
INSERT INTO labels (account_id, name, colour, team_id)
VALUES (:account_id, :name, :colour, :team_id)
RETURNING *;

-- name: get(account_id, id)^
SELECT * FROM labels WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id;

-- name: page(account_id, team_id, after, size)
-- Ordered by id, after the given id. A null team_id selects all labels.
SELECT * FROM labels
WHERE account_id = :account_id AND id > :after AND (:team_id::bigint IS NULL OR team_id = :team_id)
ORDER BY id LIMIT :size;

-- name: of_contact(account_id, contact_id, after, size)
-- The labels of a contact, ordered by id, after the given id. OFFSET 0 forces the index on the contact, even if the
-- statistics of memberships are wrong.
SELECT o.*
FROM (SELECT * FROM memberships WHERE account_id = :account_id AND contact_id = :contact_id OFFSET 0) m
JOIN labels o ON o.account_id = m.account_id AND o.id = m.owner_id
WHERE m.kind = 'label' AND m.owner_id > :after
ORDER BY m.owner_id LIMIT :size;

-- name: change(account_id, id, given, name, colour, team_id)^
-- Set the columns that `given` names. No row: no such label. Can violate what `create` can.
UPDATE labels SET
    name = CASE WHEN 'name' = ANY (:given::text[]) THEN :name ELSE name END,
    colour = CASE WHEN 'colour' = ANY (:given) THEN :colour ELSE colour END,
    team_id = CASE WHEN 'team_id' = ANY (:given) THEN :team_id ELSE team_id END,
    updated_at = now()
WHERE account_id = :account_id AND id = :id
RETURNING *;

-- name: lock(account_id, id)$
-- Lock before a delete. Waits for transactions that add contacts. Null: no such label.
SELECT id FROM labels WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id FOR UPDATE;

-- name: delete(account_id, id)!
-- The caller has locked it.
DELETE FROM labels WHERE (account_id = :account_id) IS TRUE AND ctid = (
    SELECT ctid FROM labels WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id);

-- name: lock_shared(account_id, id)^
-- Lock against deletion before members are added or removed. The trigger writes the count of the label at the end
-- of the statement, so that chunks run in parallel as long as possible. No row: no such label.
SELECT id, team_id FROM labels WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id FOR KEY SHARE;
