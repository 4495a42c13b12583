-- name: search(account_id, id, after, looked, size, code, field, text, json_text)
-- The matching ones among the next `looked` item errors after an index. A null filter matches every error. `looked_up_to`
-- is the last index that was looked at; null: there are no more errors behind it. There is always a row; without a match, its
-- other columns are null. The text is looked for in values and items that are not large only.
WITH errors AS MATERIALIZED (
    SELECT item_index, ref, field, code, message,
        CASE WHEN pg_column_size(value) <= @large_bytes@ THEN value END AS value,
        CASE WHEN pg_column_size(item) <= @large_bytes@ THEN item END AS item
    FROM item_errors
    WHERE account_id = :account_id AND job_id = :id AND item_index > :after
      AND item_index < COALESCE(LEAST(
        (SELECT min(first_index) FROM chunks WHERE account_id = :account_id AND job_id = :id AND state = 'ready'),
        (SELECT min(first_index) FROM chunks WHERE account_id = :account_id AND job_id = :id AND state = 'running')
      ), @max_index@)
    ORDER BY item_index
    LIMIT :looked
), matching AS (
    SELECT * FROM errors
    WHERE (:code::text IS NULL OR code = :code) AND (:field::text IS NULL OR field = :field)
      AND (:text::text IS NULL
        OR strpos(lower(message), lower(:text)) > 0 OR strpos(lower(ref), lower(:text)) > 0
        OR strpos(lower(value::text), lower(:json_text)) > 0 OR strpos(lower(item::text), lower(:json_text)) > 0)
    ORDER BY item_index
    LIMIT :size
)
SELECT l.looked_up_to, m.*
FROM (SELECT CASE WHEN count(*) = :looked THEN max(item_index) END AS looked_up_to FROM errors) l
LEFT JOIN matching m ON true
ORDER BY m.item_index;
