-- name: duplicates(account_id, id, size)
-- Contacts that more than one chunk of the job names, with the indexes of their items, in order. Items whose result
-- is already corrected are left out, so that a call after a crash returns only what is left. Skipped items are left
-- out, because they did not change their contact; each keeps its own result.
WITH suspects AS MATERIALIZED (
    SELECT u.contact_id
    FROM outcomes o
    CROSS JOIN LATERAL unnest(o.contact_ids) u (contact_id)
    WHERE o.account_id = :account_id AND o.job_id = :id AND u.contact_id IS NOT NULL
    GROUP BY u.contact_id
    HAVING count(*) > 1
), named AS (
    SELECT o.first_index AS chunk, o.first_index + u.position::int - 1 AS item_index, u.contact_id, u.outcome
    FROM outcomes o
    CROSS JOIN LATERAL unnest(o.contact_ids, o.outcomes) WITH ORDINALITY u (contact_id, outcome, position)
    JOIN suspects s ON s.contact_id = u.contact_id
    WHERE o.account_id = :account_id AND o.job_id = :id AND u.outcome <> @outcome.skipped@ AND EXISTS (SELECT FROM suspects)
), open AS (
    SELECT n.* FROM named n
    WHERE NOT EXISTS (
        SELECT FROM outcome_changes h
        WHERE h.account_id = :account_id AND h.job_id = :id AND h.item_index = n.item_index)
)
SELECT contact_id, array_agg(item_index ORDER BY item_index) AS indexes,
    array_agg(outcome ORDER BY item_index) AS outcomes
FROM open
GROUP BY contact_id
HAVING count(DISTINCT chunk) > 1
ORDER BY contact_id
LIMIT :size;

-- name: change(account_id, id, indexes, was, outcomes, contact_ids, merged_into, notes)!
INSERT INTO outcome_changes (account_id, job_id, item_index, was, outcome, contact_id, merged_into, note)
SELECT :account_id, :id, c.*
FROM unnest(:indexes::int[], :was::smallint[], :outcomes::smallint[], :contact_ids::bigint[],
            :merged_into::int[], :notes::smallint[]) c;

-- name: changed(account_id, id, indexes)
-- Those of the given items whose result has already been corrected.
SELECT item_index FROM outcome_changes
WHERE account_id = :account_id AND job_id = :id AND item_index = ANY (:indexes::int[]);

-- name: add_errors(account_id, id, error_indexes, refs, fields, codes, messages, values, items)!
INSERT INTO item_errors (account_id, job_id, item_index, ref, field, code, message, value, item)
SELECT :account_id, :id, e.*
FROM unnest(:error_indexes::int[], :refs::text[], :fields::text[], :codes::text[], :messages::text[],
            :values::json[], :items::json[]) e;

-- name: bytes_of(account_id, id, first_indexes)
-- Applied chunks with their bytes, in order.
SELECT c.first_index, c.items, c.skip,
    substring(p.body FROM c.byte_start + 1 FOR c.byte_end - c.byte_start) AS body
FROM chunks c
JOIN parts p ON p.account_id = c.account_id AND p.job_id = c.job_id AND p.part = c.part
WHERE c.account_id = :account_id AND c.job_id = :id AND c.first_index = ANY (:first_indexes::int[])
ORDER BY c.first_index;

-- name: chunk_starts(account_id, id)
-- The first index of each applied chunk of a job, in order.
SELECT first_index FROM outcomes WHERE account_id = :account_id AND job_id = :id ORDER BY first_index;

-- name: errors(account_id, id, after, size)
-- Item errors after the given index, in order. While the job runs, the list stops at the first item that has no
-- result yet, so that a cursor skips no error. Returns at most `size` rows and @page_bytes@ bytes, but at least one
-- row if there is any. `candidates` is the number of rows before the limit of bytes.
SELECT item_index, ref, field, code, message, value, item, candidates FROM (
SELECT item_index, ref, field, code, message, value, item, count(*) OVER () AS candidates,
    row_number() OVER (ORDER BY item_index) AS place,
    sum(octet_length(item::text) + COALESCE(octet_length(value::text), 0)) OVER (ORDER BY item_index) AS bytes
FROM (
SELECT item_index, ref, field, code, message, value, item FROM item_errors
WHERE account_id = :account_id AND job_id = :id AND item_index > :after
  AND item_index < COALESCE(LEAST(
    (SELECT min(first_index) FROM chunks WHERE account_id = :account_id AND job_id = :id AND state = 'ready'),
    (SELECT min(first_index) FROM chunks WHERE account_id = :account_id AND job_id = :id AND state = 'running')
  ), @max_index@)
ORDER BY item_index
LIMIT :size
) limited) measured
WHERE bytes <= @page_bytes@ OR place = 1
ORDER BY item_index;

-- name: results(account_id, id, after, chunks, chunk_items)
-- The results of the items after the given index, in order, from the next `chunks` chunks. While the job runs, the
-- list stops at the first item that has no result yet. No row: there are no more.
WITH picked AS (
    SELECT o.first_index, o.outcomes, o.contact_ids, o.merged_into, o.notes
    FROM outcomes o
    WHERE o.account_id = :account_id AND o.job_id = :id
      AND o.first_index > :after::int - :chunk_items::int
      AND o.first_index + cardinality(o.outcomes) > :after + 1
      AND o.first_index < COALESCE(LEAST(
        (SELECT min(first_index) FROM chunks WHERE account_id = :account_id AND job_id = :id AND state = 'ready'),
        (SELECT min(first_index) FROM chunks WHERE account_id = :account_id AND job_id = :id AND state = 'running')
      ), @max_index@)
    ORDER BY o.first_index
    LIMIT :chunks
), plain AS (
    SELECT p.first_index + u.position::int - 1 AS item_index, u.outcome, u.contact_id, u.merged_into, u.note
    FROM picked p
    CROSS JOIN LATERAL unnest(p.outcomes, p.contact_ids, p.merged_into, p.notes)
        WITH ORDINALITY u (outcome, contact_id, merged_into, note, position)
)
SELECT a.item_index, COALESCE(h.outcome, a.outcome) AS outcome,
    COALESCE(h.contact_id, a.contact_id) AS contact_id,
    COALESCE(h.merged_into, a.merged_into) AS merged_into,
    CASE WHEN h.item_index IS NULL THEN a.note ELSE h.note END AS note, e.code, e.message
FROM plain a
LEFT JOIN outcome_changes h ON h.account_id = :account_id AND h.job_id = :id AND h.item_index = a.item_index
LEFT JOIN item_errors e ON e.account_id = :account_id AND e.job_id = :id AND e.item_index = a.item_index
WHERE a.item_index > :after
ORDER BY a.item_index;
