-- name: create(account_id, id, name, phone)^
-- Violates channels_name or channels_phone if another channel has the name or phone.
INSERT INTO channels (account_id, id, name, phone) VALUES (:account_id, :id, :name, :phone) RETURNING *;

-- name: get(account_id, id)^
SELECT * FROM channels WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id;

-- name: page(account_id, after, size)
-- Ordered by id, which grows with time, after the given id (null: from the first).
SELECT * FROM channels
WHERE account_id = :account_id AND id > COALESCE(:after::uuid, '00000000-0000-0000-0000-000000000000')
ORDER BY id LIMIT :size;

-- name: resolve(account_id, ids, phones)
-- The channels that have one of these ids or phones (E.164).
SELECT id, phone FROM channels
WHERE account_id = :account_id AND (id = ANY (:ids::uuid[]) OR phone = ANY (:phones::text[]));

-- name: all_ids(account_id)
SELECT id FROM channels WHERE account_id = :account_id ORDER BY id;

-- name: change(account_id, id, given, name, phone)^
-- Set the columns that `given` names. No row: no such channel. Can violate what `create` can.
UPDATE channels SET
    name = CASE WHEN 'name' = ANY (:given::text[]) THEN :name ELSE name END,
    phone = CASE WHEN 'phone' = ANY (:given) THEN :phone ELSE phone END,
    updated_at = now()
WHERE account_id = :account_id AND id = :id
RETURNING *;

-- name: forget_defaults(account_id, id, after, size)$
-- Clear the channel as the default of the next contacts after the given id. Returns the id of the last one; null:
-- there are no more. The contacts are locked in the order of their phones, as in an upsert.
WITH batch AS MATERIALIZED (
    SELECT id, phone FROM contacts
    WHERE account_id = :account_id AND id > :after AND default_channel_id = :id
    ORDER BY id LIMIT :size
), locked AS MATERIALIZED (
    SELECT c.id FROM (SELECT * FROM batch ORDER BY phone) b
    CROSS JOIN LATERAL (
        SELECT id FROM contacts
        WHERE account_id = :account_id AND id BETWEEN b.id AND b.id AND default_channel_id = :id
        ORDER BY id OFFSET 0 FOR UPDATE
    ) c
), forgotten AS (
    UPDATE contacts c SET default_channel_id = NULL, updated_at = statement_timestamp()
    FROM locked l
    WHERE c.account_id = :account_id AND c.id = l.id
)
SELECT max(id) FROM batch;

-- name: lock(account_id, id)$
-- Lock before a delete. Waits for transactions that opt contacts in. Null: no such channel.
SELECT id FROM channels WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id FOR UPDATE;

-- name: forget_opt_ins(account_id, id)!
DELETE FROM opt_ins WHERE account_id = :account_id AND channel_id = :id;

-- name: delete(account_id, id)!
-- The caller has locked it.
DELETE FROM channels WHERE (account_id = :account_id) IS TRUE AND ctid = (
    SELECT ctid FROM channels WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id);

-- name: lock_shared(account_id, id)$
-- Lock against deletion before a contact is opted in or gets it as its default. Null: no such channel.
SELECT id FROM channels WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id FOR KEY SHARE;

-- name: lock_many_shared(account_id, ids)
-- Lock the existing channels among these ids against deletion.
SELECT id FROM channels
WHERE account_id = :account_id AND id = ANY (:ids::uuid[])
ORDER BY id FOR KEY SHARE;
