-- name: search(account_id, name_like, phone_like, phone, phone_start, by_index, candidates, newest, most, before)$
-- The ids below `before` of the contacts that match, newest first, at most `most`; null: ask `search_all`. See the function.
SELECT search_contacts(
    :account_id, :name_like, :phone_like, :phone, :phone_start, :by_index, :candidates, :newest, :most, :before);

-- name: search_all(account_id, name_like, phone_like, phone, before, most)$
-- The same, by reading all contacts of the account, in the way that the planner finds best.
WITH found AS MATERIALIZED (
    SELECT id FROM contacts
    WHERE account_id = :account_id AND id < :before
      AND (lower(name) LIKE lower(:name_like) OR phone LIKE :phone_like::text OR phone = :phone::text)
)
SELECT ARRAY(SELECT id FROM found ORDER BY id DESC LIMIT :most);

-- name: page(account_id, before, size, skip)
-- A page of contacts, newest first, with ids below `before` (null: from the newest), and the total, in one snapshot. An
-- empty page is one row in which only `total` is not null. Skipped contacts are read from the index alone.
SELECT counted.total, shown.*
FROM (
    SELECT COALESCE(sum(contacts), 0)::bigint AS total FROM contact_counts WHERE account_id = :account_id
) counted
LEFT JOIN LATERAL (
    SELECT c.*
    FROM (
        SELECT id FROM contacts
        WHERE account_id = :account_id AND id < COALESCE(:before::bigint, @max_id@)
        ORDER BY id DESC LIMIT :size OFFSET :skip
    ) wanted
    CROSS JOIN LATERAL (
        SELECT * FROM contacts WHERE account_id = :account_id AND id BETWEEN wanted.id AND wanted.id ORDER BY id OFFSET 0
    ) c
) shown ON true
ORDER BY shown.id DESC;

-- name: lock_index()$
-- Whether this session got the lock of the commands that change the index. It holds it until it ends.
SELECT pg_try_advisory_lock(@lock@);

-- name: create_extensions()#
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;

-- name: create_index()#
-- No statement but `search_contacts` has these expressions of account and phone. Otherwise a planner without statistics
-- might take this index for the look-up of a contact.
CREATE INDEX CONCURRENTLY contacts_search ON contacts
USING gin ((account_id + 0), lower(name) gin_trgm_ops, (phone || '') gin_trgm_ops);

-- name: drop_index()#
DROP INDEX CONCURRENTLY IF EXISTS contacts_search;

-- name: index_state()^
-- The index: whether it can be used, and its size in bytes. No row: there is none.
SELECT indisvalid AS valid, pg_relation_size(indexrelid) AS bytes
FROM pg_index WHERE indexrelid = to_regclass('contacts_search');
