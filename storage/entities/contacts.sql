-- name: by_ids(account_id, ids)
-- Contacts in the order of the ids. Unknown ids are absent. One index look-up per id: see ids_by_phone in upsert.sql.
SELECT c.*
FROM unnest(:ids::bigint[]) WITH ORDINALITY wanted (id, place)
CROSS JOIN LATERAL (
    SELECT * FROM contacts WHERE account_id = :account_id AND id BETWEEN wanted.id AND wanted.id ORDER BY id OFFSET 0
) c
ORDER BY wanted.place;

-- name: id_by_external_id(account_id, external_id)$
SELECT id FROM contacts
WHERE account_id = :account_id AND external_id BETWEEN :external_id AND :external_id ORDER BY external_id;

-- name: get(account_id, id)^
SELECT * FROM contacts WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id;

-- name: insert(account_id, fields, change)^
-- Add a contact. `fields` is a JSON object of columns; an absent column gets its default. Can violate
-- contacts_phone, contacts_external_id, metadata_size and properties_size. It is `change`: see keep_changed_contacts.
INSERT INTO contacts (account_id, @columns@)
SELECT :account_id, @inserted@
FROM jsonb_populate_record(NULL::contacts, :fields::jsonb) n
RETURNING *, set_config('bulklane.change', :change, true);

-- name: lock_to_change(account_id, id, change)$
-- Lock before a change, so that `change` sees every job that has changed the contact. Null: no such contact. What follows
-- is `change`: see keep_changed_contacts.
SELECT id, set_config('bulklane.change', :change, true) FROM contacts
WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id FOR NO KEY UPDATE;

-- name: change(account_id, id, fields, @key_parameters@, as_item, stream)^
-- Set the columns that the JSON object `fields` has; null clears a column. Each JSON field has two parameters: the
-- keys to set, and the keys to remove (`_gone`). No row: nothing differs. Can violate what `insert` can.
-- While a job of `stream` is unfinished, the change is also recorded, even if nothing differs: see contact_changes.
-- `as_item` is what an item with this effect would set, or null for nothing. The caller has locked the contact.
WITH recorded AS (
    INSERT INTO contact_changes (account_id, contact_id, applied, fields)
    SELECT :account_id, :id, nextval('applications'), :as_item::jsonb
    WHERE :as_item::jsonb IS NOT NULL AND EXISTS (
        SELECT FROM streams WHERE account_id = :account_id AND stream = :stream AND pending > 0)
)
UPDATE contacts c SET (@columns@, updated_at) = (
    SELECT @new_values@, statement_timestamp()
    FROM jsonb_populate_record(c, :fields::jsonb) n
)
WHERE (c.account_id = :account_id) IS TRUE
  AND c.ctid = (SELECT ctid FROM contacts WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id)
  AND (jsonb_populate_record(c, :fields::jsonb) IS DISTINCT FROM c OR @keys_changed@)
RETURNING *;

-- name: changes_of(account_id, ids)
-- The recorded changes of contacts, in the order of their application.
SELECT contact_id, applied, fields FROM contact_changes
WHERE account_id = :account_id AND contact_id = ANY (:ids::bigint[])
ORDER BY applied;

-- name: correct(account_id, corrections)!
-- Set fields of contacts that the caller has locked. `corrections` is a JSON array of objects with the `id` of the
-- contact and the parameters `fields`, keys and `_gone` of `change`. Can violate what `insert` can. One look-up per
-- contact: see ids_by_phone in upsert.sql.
WITH wanted AS MATERIALIZED (
    SELECT c.ctid AS place, w.*
    FROM jsonb_to_recordset(:corrections::jsonb) AS w (id bigint, fields jsonb, @correction_keys@)
    CROSS JOIN LATERAL (
        SELECT ctid FROM contacts WHERE account_id = :account_id AND id BETWEEN w.id AND w.id ORDER BY id OFFSET 0
    ) c
)
UPDATE contacts c SET (@columns@, updated_at) = (
    SELECT @corrected_values@, statement_timestamp()
    FROM jsonb_populate_record(c, w.fields) n
)
FROM wanted w
WHERE (c.account_id = :account_id) IS TRUE AND c.ctid = w.place;

-- name: lock(account_id, id, change)$
-- Lock before a delete. Waits for transactions that add memberships. Null: no such contact. What follows is `change`: see
-- keep_changed_contacts.
SELECT id, set_config('bulklane.change', :change, true) FROM contacts
WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id FOR UPDATE;

-- name: delete(account_id, id)!
DELETE FROM contacts WHERE (account_id = :account_id) IS TRUE AND ctid = (
    SELECT ctid FROM contacts WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id);

-- name: set_preference(account_id, places, preference, default_preference)$
-- Set the communication preference of contacts that `references.lock` has locked, at their places. A contact without
-- one counts as having the default. Returns the ids of the contacts that changed, or null. The condition on the
-- account is written so that no index can serve it: see forget_contacts in memberships.sql.
WITH changed AS (
    UPDATE contacts SET communication_preference = :preference, updated_at = statement_timestamp()
    WHERE (account_id = :account_id) IS TRUE AND ctid = ANY (:places::text::tid[])
      AND COALESCE(communication_preference, :default_preference) IS DISTINCT FROM :preference
    RETURNING id
)
SELECT array_agg(id) FROM changed;

-- name: delete_many(account_id, places)!
-- Delete contacts that `references.lock` has locked FOR UPDATE, at their places, after their memberships and opt-ins.
DELETE FROM contacts WHERE (account_id = :account_id) IS TRUE AND ctid = ANY (:places::text::tid[]);

-- name: lock_shared(account_id, id, change)$
-- Lock against deletion. Null: no such contact. What follows is `change`: see keep_changed_contacts.
SELECT id, set_config('bulklane.change', :change, true) FROM contacts
WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id FOR KEY SHARE;
