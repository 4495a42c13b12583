-- name: definitions(account_id)
-- All definitions of the account, ordered by name.
SELECT * FROM property_definitions WHERE account_id = :account_id ORDER BY name;

-- name: create(account_id, name, type, options)^
-- Violates property_definitions_pkey if the name is taken.
INSERT INTO property_definitions (account_id, name, type, options)
VALUES (:account_id, :name, :type, :options)
RETURNING *;

-- name: get(account_id, name)^
SELECT * FROM property_definitions WHERE account_id = :account_id AND name = :name;

-- name: page(account_id, after, size)
-- Ordered by name, after the given name.
SELECT * FROM property_definitions
WHERE account_id = :account_id AND name > :after
ORDER BY name LIMIT :size;

-- name: change(account_id, name, options)^
-- No row: no such property, or it is not an enum.
UPDATE property_definitions SET options = :options
WHERE account_id = :account_id AND name = :name AND type = 'enum'
RETURNING *;

-- name: delete(account_id, name)$
-- Null: no such property.
DELETE FROM property_definitions WHERE account_id = :account_id AND name = :name RETURNING name;
