-- name: make_stage()#
-- The connection's staging table: what COPY fills and an upsert reads; empty again after each transaction.
CREATE TEMPORARY TABLE IF NOT EXISTS stage_contacts (
    phone              text COLLATE "C",
    external_id        text COLLATE "C",
    name               text,
    email              text,
    language           text,
    nickname           text,
    age                smallint,
    gender             text,
    timezone           text,
    birth_date         text,
    address            jsonb,
    default_channel_id uuid,
    metadata           jsonb,
    properties         jsonb
) ON COMMIT DELETE ROWS;
-- Not compressed: the limits of their size are checked against what is staged, and mean the size as it is.
ALTER TABLE stage_contacts ALTER metadata SET STORAGE EXTERNAL, ALTER properties SET STORAGE EXTERNAL;

-- name: empty_stage()!
DELETE FROM stage_contacts;

-- name: truncate_stage()!
-- Outside of savepoints: the second time on the file is cut in place.
TRUNCATE stage_contacts;

-- name: upsert(account_id)
-- Create or update the staged contacts, matched by phone; null keeps what is stored. Returns id, phone and
-- whether it was created, for the rows that were written: an unchanged row is not rewritten and not returned.
INSERT INTO contacts AS c (account_id, phone, external_id, name, email, language, nickname, age, gender, timezone,
    birth_date, address, default_channel_id, metadata, properties)
SELECT :account_id, s.phone, s.external_id, s.name, s.email, s.language, s.nickname, s.age, s.gender, s.timezone,
    s.birth_date, s.address, s.default_channel_id, COALESCE(s.metadata, '{}'), COALESCE(s.properties, '{}')
FROM stage_contacts s
ORDER BY s.phone
ON CONFLICT (account_id, phone) DO UPDATE SET
    external_id = COALESCE(excluded.external_id, c.external_id),
    name = COALESCE(excluded.name, c.name),
    email = COALESCE(excluded.email, c.email),
    language = COALESCE(excluded.language, c.language),
    nickname = COALESCE(excluded.nickname, c.nickname),
    age = COALESCE(excluded.age, c.age),
    gender = COALESCE(excluded.gender, c.gender),
    timezone = COALESCE(excluded.timezone, c.timezone),
    birth_date = COALESCE(excluded.birth_date, c.birth_date),
    address = COALESCE(excluded.address, c.address),
    default_channel_id = COALESCE(excluded.default_channel_id, c.default_channel_id),
    metadata = c.metadata || excluded.metadata,
    properties = c.properties || excluded.properties,
    updated_at = now()
WHERE COALESCE(excluded.name, c.name) IS DISTINCT FROM c.name
   OR COALESCE(excluded.email, c.email) IS DISTINCT FROM c.email
   OR COALESCE(excluded.language, c.language) IS DISTINCT FROM c.language
   OR COALESCE(excluded.external_id, c.external_id) IS DISTINCT FROM c.external_id
   OR COALESCE(excluded.nickname, c.nickname) IS DISTINCT FROM c.nickname
   OR COALESCE(excluded.age, c.age) IS DISTINCT FROM c.age
   OR COALESCE(excluded.gender, c.gender) IS DISTINCT FROM c.gender
   OR COALESCE(excluded.timezone, c.timezone) IS DISTINCT FROM c.timezone
   OR COALESCE(excluded.birth_date, c.birth_date) IS DISTINCT FROM c.birth_date
   OR COALESCE(excluded.address, c.address) IS DISTINCT FROM c.address
   OR COALESCE(excluded.default_channel_id, c.default_channel_id) IS DISTINCT FROM c.default_channel_id
   OR (c.metadata || excluded.metadata) IS DISTINCT FROM c.metadata
   OR (c.properties || excluded.properties) IS DISTINCT FROM c.properties
RETURNING c.id, c.phone, (c.xmax = 0) AS created;

-- name: clear(account_id, clears)
-- Set fields to null and remove keys of stored contacts, after the upsert, which has locked them. `clears` is a JSON array of
-- {phone, fields, metadata, properties}: names of fields, keys to remove. Returns the phones that changed.
WITH wanted AS (
    SELECT * FROM jsonb_to_recordset(:clears::jsonb)
        AS w (phone text COLLATE "C", fields text[], metadata text[], properties text[])
    ORDER BY phone
), locked AS MATERIALIZED (
    SELECT c.id, w.*
    FROM wanted w
    CROSS JOIN LATERAL (
        SELECT * FROM contacts WHERE account_id = :account_id AND phone = w.phone OFFSET 0 FOR UPDATE
    ) c
    WHERE ((c.external_id IS NOT NULL AND 'external_id' = ANY (w.fields))
        OR (c.name IS NOT NULL AND 'name' = ANY (w.fields))
        OR (c.email IS NOT NULL AND 'email' = ANY (w.fields))
        OR (c.language IS NOT NULL AND 'language' = ANY (w.fields))
        OR (c.nickname IS NOT NULL AND 'nickname' = ANY (w.fields))
        OR (c.age IS NOT NULL AND 'age' = ANY (w.fields))
        OR (c.gender IS NOT NULL AND 'gender' = ANY (w.fields))
        OR (c.timezone IS NOT NULL AND 'timezone' = ANY (w.fields))
        OR (c.birth_date IS NOT NULL AND 'birth_date' = ANY (w.fields))
        OR (c.address IS NOT NULL AND 'address' = ANY (w.fields))
        OR (c.default_channel_id IS NOT NULL AND 'default_channel_id' = ANY (w.fields))
        OR c.metadata ?| w.metadata OR c.properties ?| w.properties)
)
UPDATE contacts c SET
    external_id = CASE WHEN 'external_id' = ANY (l.fields) THEN NULL ELSE c.external_id END,
    name = CASE WHEN 'name' = ANY (l.fields) THEN NULL ELSE c.name END,
    email = CASE WHEN 'email' = ANY (l.fields) THEN NULL ELSE c.email END,
    language = CASE WHEN 'language' = ANY (l.fields) THEN NULL ELSE c.language END,
    nickname = CASE WHEN 'nickname' = ANY (l.fields) THEN NULL ELSE c.nickname END,
    age = CASE WHEN 'age' = ANY (l.fields) THEN NULL ELSE c.age END,
    gender = CASE WHEN 'gender' = ANY (l.fields) THEN NULL ELSE c.gender END,
    timezone = CASE WHEN 'timezone' = ANY (l.fields) THEN NULL ELSE c.timezone END,
    birth_date = CASE WHEN 'birth_date' = ANY (l.fields) THEN NULL ELSE c.birth_date END,
    address = CASE WHEN 'address' = ANY (l.fields) THEN NULL ELSE c.address END,
    default_channel_id = CASE WHEN 'default_channel_id' = ANY (l.fields) THEN NULL ELSE c.default_channel_id END,
    metadata = c.metadata - l.metadata,
    properties = c.properties - l.properties,
    updated_at = now()
FROM locked l
WHERE c.account_id = :account_id AND c.id = l.id
RETURNING c.phone;

-- name: ids_by_phone(account_id, phones)
-- The ids of contacts that exist. A look-up a phone, whatever the planner believes of the table: without
-- statistics it would rather read all contacts of the account.
SELECT c.id, c.phone
FROM unnest(:phones::text[]) wanted (phone)
CROSS JOIN LATERAL (
    SELECT id, phone FROM contacts WHERE account_id = :account_id AND phone = wanted.phone OFFSET 0
) c;

-- name: lock_matches(account_id, phones, external_ids)
-- The contacts that hold one of these phones or external ids, locked in the order of their phones.
WITH matches AS (
    SELECT c.id, c.phone
    FROM unnest(:phones::text[]) wanted (phone)
    CROSS JOIN LATERAL (
        SELECT id, phone FROM contacts WHERE account_id = :account_id AND phone = wanted.phone OFFSET 0
    ) c
    UNION
    SELECT c.id, c.phone
    FROM unnest(:external_ids::text[]) wanted (external_id)
    CROSS JOIN LATERAL (
        SELECT id, phone FROM contacts
        WHERE account_id = :account_id AND external_id = wanted.external_id OFFSET 0
    ) c
    ORDER BY phone
)
SELECT c.id, c.phone, c.external_id
FROM matches m
CROSS JOIN LATERAL (
    SELECT id, phone, external_id FROM contacts
    WHERE account_id = :account_id AND id = m.id
    OFFSET 0 FOR UPDATE
) c;

-- name: park(account_id, ids)!
-- First half of a move: the phones are free, so that contacts can exchange them within one statement.
UPDATE contacts SET phone = '~' || id WHERE account_id = :account_id AND id = ANY (:ids::bigint[]);

-- name: move(account_id, ids, phones)!
-- Second half of a move: each contact has its new phone.
UPDATE contacts c SET phone = m.phone, updated_at = now()
FROM unnest(:ids::bigint[], :phones::text[]) m (id, phone)
WHERE c.account_id = :account_id AND c.id = m.id;
