-- name: create(account_id, name, colour, team_id)^
-- Violates labels_name where the team has this name already, labels_team where there is no such team.
INSERT INTO labels (account_id, name, colour, team_id)
VALUES (:account_id, :name, :colour, :team_id)
RETURNING *;

-- name: get(account_id, id)^
SELECT * FROM labels WHERE account_id = :account_id AND id = :id;

-- name: page(account_id, team_id, after, size)
-- By id, after the given one; of one team, where that is not null.
SELECT * FROM labels
WHERE account_id = :account_id AND id > :after AND (:team_id::bigint IS NULL OR team_id = :team_id)
ORDER BY id LIMIT :size;

-- name: of_contact(account_id, contact_id, after, size)
-- The labels that a contact carries, by id, after the given one. Found by the contact, whatever the planner
-- believes of the table: hence OFFSET 0.
SELECT o.*
FROM (SELECT * FROM memberships WHERE account_id = :account_id AND contact_id = :contact_id OFFSET 0) m
JOIN labels o ON o.account_id = m.account_id AND o.id = m.owner_id
WHERE m.kind = 'label' AND m.owner_id > :after
ORDER BY m.owner_id LIMIT :size;

-- name: change(account_id, id, given, name, colour, team_id)^
-- Sets the columns that are named in `given`. No row: no such label. Violates what create violates.
UPDATE labels SET
    name = CASE WHEN 'name' = ANY (:given::text[]) THEN :name ELSE name END,
    colour = CASE WHEN 'colour' = ANY (:given) THEN :colour ELSE colour END,
    team_id = CASE WHEN 'team_id' = ANY (:given) THEN :team_id ELSE team_id END,
    updated_at = now()
WHERE account_id = :account_id AND id = :id
RETURNING *;

-- name: lock(account_id, id)$
-- Before a delete: waits for transactions that add contacts. Null: no such label.
SELECT id FROM labels WHERE account_id = :account_id AND id = :id FOR UPDATE;

-- name: delete(account_id, id)!
DELETE FROM labels WHERE account_id = :account_id AND id = :id;

-- name: lock_shared(account_id, id)^
-- Before members are added or removed: the label is not deleted meanwhile. Its count is written only in the end,
-- by the trigger, so that chunks stay side by side as long as they can.
SELECT id, team_id FROM labels WHERE account_id = :account_id AND id = :id FOR KEY SHARE;
