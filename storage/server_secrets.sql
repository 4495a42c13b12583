-- name: get(name)$
SELECT value FROM server_secrets WHERE name = :name;

-- name: add(name, value)!
-- The first one stays.
INSERT INTO server_secrets (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING;
