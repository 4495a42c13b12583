-- name: make_stage()#
-- Create the connection's staging table, which COPY fills and `upsert` reads. A commit empties it. Its account_id and
-- job_id are null unless contacts of several jobs are staged.
CREATE TEMPORARY TABLE IF NOT EXISTS stage_contacts (
    @stage@,
    account_id bigint,
    job_id     uuid
) ON COMMIT DELETE ROWS;
-- Not compressed: metadata_size and properties_size limit the uncompressed size.
ALTER TABLE stage_contacts @uncompressed@;

-- name: empty_stage(change)$
-- If images are kept, what follows is `change`: see keep_changed_contacts.
WITH gone AS (DELETE FROM stage_contacts)
SELECT set_config('bulklane.change', CASE WHEN current_setting('bulklane.change', true) <> '' THEN :change ELSE '' END, true);

-- name: truncate_stage()!
-- Call it outside of savepoints: from the second call on, PostgreSQL then truncates the file in place.
TRUNCATE stage_contacts;

-- name: upsert(account_id, fields)^
-- Create or update the staged contacts, matched by phone; null keeps the stored value. Writes only contacts that differ,
-- in the order of their phones. Returns them as one row of arrays, because that takes less time than a row for each:
-- ids, phones and whether the contact was created. `fields`: the names of the staged columns, for the trigger, which runs
-- after all of this: see keep_changed_contacts.
WITH written AS (
    INSERT INTO contacts AS c (account_id, @columns@)
    SELECT :account_id, @staged@
    FROM stage_contacts s
    ORDER BY s.phone
    @on_conflict@
    RETURNING c.id, c.phone, (c.xmax = 0) AS created
)
SELECT array_agg(id) AS ids, array_agg(phone) AS phones, array_agg(created) AS created,
    set_config('bulklane.fields', :fields, true)
FROM written;

-- name: upsert_several()
-- As `upsert`, for staged contacts of several accounts, in the order of the accounts. Returns a row of arrays for each. If
-- images are kept, each is that of the staged job: see keep_changed_contacts.
WITH written AS (
    INSERT INTO contacts AS c (account_id, @columns@)
    SELECT s.account_id, @staged@
    FROM stage_contacts s
    ORDER BY s.account_id, s.phone
    @on_conflict@
    RETURNING c.account_id, c.id, c.phone, (c.xmax = 0) AS created
)
SELECT account_id, array_agg(id) AS ids, array_agg(phone) AS phones, array_agg(created) AS created,
    set_config('bulklane.change', CASE WHEN current_setting('bulklane.change', true) <> '' THEN 'staged' ELSE '' END, true)
FROM written GROUP BY account_id;

-- name: clear(account_id, clears)
-- Set fields to null and remove keys of stored contacts, after the upsert, which has locked them. `clears` is a
-- JSON array of {phone, fields, metadata, properties}: names of fields, and keys to remove from each JSON field.
-- Returns the phones that changed.
WITH wanted AS (
    SELECT * FROM jsonb_to_recordset(:clears::jsonb)
        AS w (phone text COLLATE "C", fields text[], @clear_keys@)
    ORDER BY phone
), locked AS MATERIALIZED (
    SELECT c.id, c.ctid AS place, w.*
    FROM wanted w
    CROSS JOIN LATERAL (
        SELECT ctid, * FROM contacts WHERE account_id = :account_id AND phone BETWEEN w.phone AND w.phone
        ORDER BY phone OFFSET 0 FOR UPDATE
    ) c
    WHERE @to_clear@
)
UPDATE contacts c SET
    @cleared@,
    updated_at = statement_timestamp()
FROM locked l
WHERE (c.account_id = :account_id) IS TRUE AND c.ctid = l.place
RETURNING c.phone;

-- name: ids_by_phone(account_id, phones)^
-- The contacts that exist, as one row of arrays: ids and phones. OFFSET 0 forces one look-up per phone. BETWEEN and ORDER
-- BY force the index of phones: with `=`, a planner whose statistics have not seen the account may choose the primary
-- key, and read all contacts of the account for each phone.
SELECT array_agg(c.id) AS ids, array_agg(c.phone) AS phones
FROM unnest(:phones::text::text[]) wanted (phone)
CROSS JOIN LATERAL (
    SELECT id, phone FROM contacts WHERE account_id = :account_id AND phone BETWEEN wanted.phone AND wanted.phone
        ORDER BY phone OFFSET 0
) c;

-- name: ids_in_accounts(account_ids, phones)
-- As `ids_by_phone`, for contacts of several accounts.
SELECT wanted.account_id, wanted.phone, c.id
FROM unnest(:account_ids::bigint[], :phones::text::text[]) wanted (account_id, phone)
CROSS JOIN LATERAL (
    SELECT id, phone FROM contacts
    WHERE account_id = wanted.account_id AND phone BETWEEN wanted.phone AND wanted.phone
    ORDER BY phone OFFSET 0
) c;

-- name: lock_matches(account_id, phones, external_ids)
-- Lock the contacts that have one of these phones or external ids, in the order of their phones.
WITH matches AS (
    SELECT c.id, c.phone
    FROM unnest(:phones::text::text[]) wanted (phone)
    CROSS JOIN LATERAL (
        SELECT id, phone FROM contacts WHERE account_id = :account_id AND phone BETWEEN wanted.phone AND wanted.phone
        ORDER BY phone OFFSET 0
    ) c
    UNION
    SELECT c.id, c.phone
    FROM unnest(:external_ids::text::text[]) wanted (external_id)
    CROSS JOIN LATERAL (
        SELECT id, phone FROM contacts
        WHERE account_id = :account_id AND external_id BETWEEN wanted.external_id AND wanted.external_id
        ORDER BY external_id OFFSET 0
    ) c
    ORDER BY phone
)
SELECT c.id, c.phone, c.external_id
FROM matches m
CROSS JOIN LATERAL (
    SELECT id, phone, external_id FROM contacts
    WHERE account_id = :account_id AND id BETWEEN m.id AND m.id
    ORDER BY id OFFSET 0 FOR UPDATE
) c;

-- name: park(account_id, ids)!
-- First half of a move: free the phones, so that contacts can exchange them.
-- The caller has locked the contacts.
UPDATE contacts SET phone = '~' || id
WHERE (account_id = :account_id) IS TRUE AND ctid = ANY (ARRAY(
    SELECT c.ctid
    FROM unnest(:ids::bigint[]) w (id)
    CROSS JOIN LATERAL (
        SELECT ctid FROM contacts WHERE account_id = :account_id AND id BETWEEN w.id AND w.id ORDER BY id OFFSET 0
    ) c
));

-- name: move(account_id, ids, phones)!
-- Second half of a move: give each contact its new phone.
UPDATE contacts c SET phone = m.phone, updated_at = statement_timestamp()
FROM unnest(:ids::bigint[], :phones::text[]) m (id, phone)
CROSS JOIN LATERAL (
    SELECT ctid AS place FROM contacts WHERE account_id = :account_id AND id BETWEEN m.id AND m.id ORDER BY id OFFSET 0
) l
WHERE (c.account_id = :account_id) IS TRUE AND c.ctid = l.place;
