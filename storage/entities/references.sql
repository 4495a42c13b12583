-- name: lock(account_id, ids, phones, external_ids, strength)
-- Lock the contacts that references name, in the order of their phones, as in an upsert. Reference n is the value
-- that is not null at position n of the three arrays. `positions` are the references to a contact, counted from 1.
-- One look-up per reference: see ids_by_phone in upsert.sql. `strength` is 'key share', 'no key update' or 'update';
-- two of the three branches read nothing.
WITH wanted AS (
    SELECT *
    FROM unnest(:ids::bigint[], :phones::text[], :external_ids::text[])
        WITH ORDINALITY w (id, phone, external_id, position)
), named AS (
    SELECT w.position, c.id, c.phone
    FROM wanted w
    CROSS JOIN LATERAL (SELECT id, phone FROM contacts WHERE account_id = :account_id AND id = w.id OFFSET 0) c
    UNION ALL
    SELECT w.position, c.id, c.phone
    FROM wanted w
    CROSS JOIN LATERAL (
        SELECT id, phone FROM contacts WHERE account_id = :account_id AND phone = w.phone OFFSET 0
    ) c
    UNION ALL
    SELECT w.position, c.id, c.phone
    FROM wanted w
    CROSS JOIN LATERAL (
        SELECT id, phone FROM contacts WHERE account_id = :account_id AND external_id = w.external_id OFFSET 0
    ) c
), found AS (
    SELECT id, array_agg(position::int ORDER BY position) AS positions
    FROM named
    GROUP BY id, phone
    ORDER BY phone
)
SELECT locked.id, locked.team_id, f.positions
FROM found f
CROSS JOIN LATERAL (
    SELECT * FROM (
        SELECT id, team_id FROM contacts
        WHERE account_id = :account_id AND id = f.id AND :strength::text = 'key share'
        OFFSET 0 FOR KEY SHARE
    ) member
    UNION ALL
    SELECT * FROM (
        SELECT id, team_id FROM contacts
        WHERE account_id = :account_id AND id = f.id AND :strength = 'no key update'
        OFFSET 0 FOR NO KEY UPDATE
    ) changed
    UNION ALL
    SELECT * FROM (
        SELECT id, team_id FROM contacts
        WHERE account_id = :account_id AND id = f.id AND :strength = 'update'
        OFFSET 0 FOR UPDATE
    ) deleted
) locked;
