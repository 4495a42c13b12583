-- The same statements for each table of an account: see OWNED. @table@ is the table and @key@ its key after account_id.

-- name: delete(account_id, after, rows)^
-- Delete up to `rows` rows of an account, in the order of the key, from `after` on: a JSON object of the columns of the key.
-- `last` is the key of the last one, to go on with; null: there are no more. Rows that others have locked stay for later.
WITH edge AS MATERIALIZED (
    SELECT * FROM jsonb_populate_record(NULL::@table@, :after::jsonb)
), batch AS MATERIALIZED (
    SELECT found.* FROM edge CROSS JOIN LATERAL (
        SELECT t.ctid AS place, @key@ FROM @table@ t
        WHERE t.account_id = :account_id AND (@key@) >= (@edge@)
        ORDER BY @key@ LIMIT :rows FOR UPDATE SKIP LOCKED
    ) found
), gone AS (
    DELETE FROM @table@ WHERE ctid = ANY (ARRAY(SELECT place FROM batch)) RETURNING 1
), last AS (
    SELECT @key@ FROM batch t ORDER BY @order@ LIMIT 1
)
SELECT (SELECT count(*) FROM gone) AS rows, (SELECT to_json(last) FROM last)::text AS last;

-- name: any_left(account_id)$
-- Whether the account has a row.
SELECT EXISTS (SELECT FROM @table@ WHERE account_id = :account_id OFFSET 0);

-- name: count(account_id)$
-- The number of rows of the account. Reads all of them.
SELECT count(*) FROM @table@ WHERE account_id = :account_id;
