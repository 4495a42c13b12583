-- The contacts that references name are locked in the order of their phones, as in an upsert. Each query returns one row
-- of arrays, with an element for each reference that names a contact: its position (from 1), the contact's id and
-- team, and the contact's place in the table, as the text of an array. A locked row keeps its place, so the transaction
-- can change it there. One look-up per reference: see ids_by_phone in upsert.sql. If images
-- are kept, what follows is `change`: see keep_changed_contacts.

-- name: lock_phones(account_id, phones, change)^
-- Lock the contacts that have these phones.
WITH wanted AS (
    SELECT * FROM unnest(:phones::text::text[]) WITH ORDINALITY w (phone, position)
    ORDER BY phone COLLATE "C", position
), locked AS (
    SELECT w.position, c.*
    FROM wanted w
    CROSS JOIN LATERAL (
        SELECT id, team_id, ctid AS place FROM contacts
        WHERE account_id = :account_id AND phone BETWEEN w.phone AND w.phone
        ORDER BY phone OFFSET 0 FOR @strength@
    ) c
)
SELECT array_agg(position) AS positions, array_agg(id) AS ids, array_agg(team_id) AS team_ids,
    COALESCE(array_agg(place)::text, '{}') AS places,
    set_config('bulklane.change', CASE WHEN current_setting('bulklane.change', true) <> '' THEN :change ELSE '' END, true)
FROM locked;

-- name: lock(account_id, ids, phones, external_ids, change)^
-- Lock the contacts that references name by id, phone or external id. Reference n is the value that is not null at
-- position n of the three arrays; a null array has no reference.
WITH wanted AS (
    SELECT *
    FROM unnest(:ids::text::bigint[], :phones::text::text[], :external_ids::text::text[])
        WITH ORDINALITY w (id, phone, external_id, position)
), named AS (
    SELECT w.position, c.id, c.phone
    FROM wanted w
    CROSS JOIN LATERAL (
        SELECT id, phone FROM contacts
        WHERE account_id = :account_id AND id BETWEEN w.id AND w.id
        ORDER BY id OFFSET 0
    ) c
    UNION ALL
    SELECT w.position, c.id, c.phone
    FROM wanted w
    CROSS JOIN LATERAL (
        SELECT id, phone FROM contacts
        WHERE account_id = :account_id AND phone BETWEEN w.phone AND w.phone
        ORDER BY phone OFFSET 0
    ) c
    UNION ALL
    SELECT w.position, c.id, c.phone
    FROM wanted w
    CROSS JOIN LATERAL (
        SELECT id, phone FROM contacts
        WHERE account_id = :account_id AND external_id BETWEEN w.external_id AND w.external_id
        ORDER BY external_id OFFSET 0
    ) c
), found AS (
    SELECT * FROM named ORDER BY phone, position
), locked AS (
    SELECT f.position, c.*
    FROM found f
    CROSS JOIN LATERAL (
        SELECT id, team_id, ctid AS place FROM contacts
        WHERE account_id = :account_id AND id BETWEEN f.id AND f.id
        ORDER BY id OFFSET 0 FOR @strength@
    ) c
)
SELECT array_agg(position) AS positions, array_agg(id) AS ids, array_agg(team_id) AS team_ids,
    COALESCE(array_agg(place)::text, '{}') AS places,
    set_config('bulklane.change', CASE WHEN current_setting('bulklane.change', true) <> '' THEN :change ELSE '' END, true)
FROM locked;
