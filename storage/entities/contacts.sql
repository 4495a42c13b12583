-- name: by_ids(account_id, ids)
-- Contacts in the order of the ids; unknown ones are absent. A look-up an id: see ids_by_phone in contacts.sql.
SELECT c.*
FROM unnest(:ids::bigint[]) WITH ORDINALITY wanted (id, place)
CROSS JOIN LATERAL (SELECT * FROM contacts WHERE account_id = :account_id AND id = wanted.id OFFSET 0) c
ORDER BY wanted.place;

-- name: id_by_external_id(account_id, external_id)$
SELECT id FROM contacts WHERE account_id = :account_id AND external_id = :external_id;

-- name: get(account_id, id)^
SELECT * FROM contacts WHERE account_id = :account_id AND id = :id;

-- name: page(account_id, size, skip)
-- Newest first, and how many there are, in one snapshot: at least one row, of which only `total` is not null
-- where the page is empty. What is skipped is read from the index alone.
SELECT counted.total, shown.*
FROM (SELECT count(*) AS total FROM contacts WHERE account_id = :account_id) counted
LEFT JOIN LATERAL (
    SELECT c.*
    FROM (
        SELECT id FROM contacts WHERE account_id = :account_id ORDER BY id DESC LIMIT :size OFFSET :skip
    ) wanted
    CROSS JOIN LATERAL (SELECT * FROM contacts WHERE account_id = :account_id AND id = wanted.id OFFSET 0) c
) shown ON true
ORDER BY shown.id DESC;

-- name: search(account_id, name_like, phone_like, phone, size, skip)
-- The same of the contacts whose name or phone is LIKE a pattern, or whose phone is the given one. A null
-- finds nothing.
WITH found AS MATERIALIZED (
    SELECT id FROM contacts
    WHERE account_id = :account_id
      AND (lower(name) LIKE lower(:name_like) OR phone LIKE :phone_like::text OR phone = :phone::text)
)
SELECT counted.total, shown.*
FROM (SELECT count(*) AS total FROM found) counted
LEFT JOIN LATERAL (
    SELECT c.*
    FROM (SELECT id FROM found ORDER BY id DESC LIMIT :size OFFSET :skip) wanted
    CROSS JOIN LATERAL (SELECT * FROM contacts WHERE account_id = :account_id AND id = wanted.id OFFSET 0) c
) shown ON true
ORDER BY shown.id DESC;

-- name: insert(account_id, fields)^
-- A new contact. `fields` is a JSON object of columns; of those that are absent, the defaults. Violates
-- contacts_phone or contacts_external_id where another contact has it, metadata_size, properties_size.
INSERT INTO contacts (account_id, @columns@)
SELECT :account_id, @inserted@
FROM jsonb_populate_record(NULL::contacts, :fields::jsonb) n
RETURNING *;

-- name: change(account_id, id, fields, @key_parameters@)^
-- Sets the columns that `fields`, a JSON object, has; a null clears. Adds keys to the documents, and takes
-- others out. No row: no such contact, or it is as it should be already. Violates what insert violates.
UPDATE contacts c SET (@columns@, updated_at) = (
    SELECT @new_values@, now()
    FROM jsonb_populate_record(c, :fields::jsonb) n
)
WHERE c.account_id = :account_id AND c.id = :id
  AND (jsonb_populate_record(c, :fields::jsonb) IS DISTINCT FROM c OR @keys_changed@)
RETURNING *;

-- name: lock(account_id, id)$
-- Before a delete: waits for those who are making it a member of something. Null: no such contact.
SELECT id FROM contacts WHERE account_id = :account_id AND id = :id FOR UPDATE;

-- name: delete(account_id, id)!
DELETE FROM contacts WHERE account_id = :account_id AND id = :id;

-- name: set_preference(account_id, ids, preference, default_preference)
-- Set the communication preference of contacts that the caller has locked. Null in its place means the default
-- one. Returns the contacts that had another. A look-up a contact: see ids_by_phone.
UPDATE contacts SET communication_preference = :preference, updated_at = now()
WHERE account_id = :account_id AND ctid = ANY (ARRAY(
    SELECT c.ctid
    FROM unnest(:ids::bigint[]) w (id)
    CROSS JOIN LATERAL (SELECT ctid FROM contacts WHERE account_id = :account_id AND id = w.id OFFSET 0) c
)) AND COALESCE(communication_preference, :default_preference) IS DISTINCT FROM :preference
RETURNING id;

-- name: delete_many(account_id, ids)!
-- Delete contacts that the caller has locked FOR UPDATE, after all that hangs on them.
DELETE FROM contacts
WHERE account_id = :account_id AND ctid = ANY (ARRAY(
    SELECT c.ctid
    FROM unnest(:ids::bigint[]) w (id)
    CROSS JOIN LATERAL (SELECT ctid FROM contacts WHERE account_id = :account_id AND id = w.id OFFSET 0) c
));

-- name: lock_shared(account_id, id)$
-- It cannot be deleted until this transaction ends. Null: no such contact.
SELECT id FROM contacts WHERE account_id = :account_id AND id = :id FOR KEY SHARE;
