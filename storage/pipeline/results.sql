-- name: record(account_ids, ids, first_indexes, outcomes, contact_ids, merged_into, notes, noted_fields, added, removed, counts, counted_items, error_accounts, error_jobs, error_indexes, refs, fields, codes, messages, values, items)
-- Write the results of chunks, in the transaction that applies them. Arrays in an array come as text. `counts` holds
-- created, updated, unchanged, merged, skipped, failed of each chunk. `applied` is drawn after the effect has locked
-- every contact: see `applications` in storage/schema/tables.sql. Returns for each chunk `others_ready`: other chunks of
-- the job are ready to be claimed; and the item errors and the counted items of the job so far, or 0 if the chunk has
-- none. `counted_items` are those of a job with `max_errors`.
-- The caller has locked the chunks. Each is looked up by its key: see `fence_all`.
WITH done AS MATERIALIZED (
    SELECT d.*, c.place FROM unnest(
        :account_ids::bigint[], :ids::uuid[], :first_indexes::int[], :outcomes::text[], :contact_ids::text[],
        :merged_into::text[], :notes::text[], :noted_fields::text[], :added::int[], :removed::int[], :counts::text[]
    ) d (account_id, job_id, first_index, outcomes, contact_ids, merged_into, notes, noted_fields, added, removed,
         counts)
    CROSS JOIN LATERAL (
        SELECT ctid AS place FROM chunks
        WHERE account_id = d.account_id AND job_id = d.job_id AND first_index = d.first_index
        OFFSET 0
    ) c
), results AS (
    INSERT INTO outcomes (account_id, job_id, first_index, outcomes, contact_ids, merged_into, notes, fields)
    SELECT account_id, job_id, first_index, outcomes::smallint[], contact_ids::bigint[], merged_into::int[],
        notes::smallint[], noted_fields::jsonb
    FROM done
), errors AS (
    INSERT INTO item_errors (account_id, job_id, item_index, ref, field, code, message, value, item)
    SELECT e.*
    FROM unnest(:error_accounts::bigint[], :error_jobs::uuid[], :error_indexes::int[], :refs::text[], :fields::text[],
                :codes::text[], :messages::text[], :values::json[], :items::json[]) e
), counted AS (
    INSERT INTO error_counts AS n (account_id, job_id, errors, items)
    SELECT e.account_id, e.job_id, sum(e.errors), sum(e.items)
    FROM (
        SELECT account_id, job_id, 1, 0 FROM unnest(:error_accounts::bigint[], :error_jobs::uuid[]) u (account_id, job_id)
        UNION ALL
        SELECT account_id, job_id, 0, items
        FROM unnest(:account_ids::bigint[], :ids::uuid[], :counted_items::int[]) u (account_id, job_id, items)
        WHERE items > 0
    ) e (account_id, job_id, errors, items)
    GROUP BY e.account_id, e.job_id
    ON CONFLICT (account_id, job_id) DO UPDATE SET errors = n.errors + excluded.errors, items = n.items + excluded.items
    RETURNING n.account_id, n.job_id, n.errors, n.items
)
UPDATE chunks c SET state = 'done', worker_id = NULL, lease_until = NULL,
    created = (d.counts::int[])[1], updated = (d.counts::int[])[2], unchanged = (d.counts::int[])[3],
    merged = (d.counts::int[])[4], skipped = (d.counts::int[])[5], failed = (d.counts::int[])[6],
    added = d.added, removed = d.removed, applied = nextval('applications'), changed = pg_current_xact_id(),
    done_at = clock_timestamp()
FROM done d
WHERE c.ctid = d.place
RETURNING c.account_id, c.job_id, c.first_index,
    EXISTS (SELECT FROM chunks o WHERE o.account_id = c.account_id AND o.job_id = c.job_id AND o.state = 'ready' OFFSET 0)
        AS others_ready,
    COALESCE((SELECT n.errors FROM counted n WHERE n.account_id = c.account_id AND n.job_id = c.job_id), 0)
        AS errors,
    COALESCE((SELECT n.items FROM counted n WHERE n.account_id = c.account_id AND n.job_id = c.job_id), 0)
        AS items;

-- name: tally(account_id, id)^
-- The item errors and the counted items of a job so far. No row: both are 0.
SELECT errors, items FROM error_counts WHERE account_id = :account_id AND job_id = :id;

-- name: any_repeated(account_id, id)$
-- Whether the results of a job name a contact more than once. It takes a sort of numbers alone, which is a fraction of
-- what `merge_repeated` and `declare` of reordered.sql take.
SELECT count(u.contact_id) > count(DISTINCT u.contact_id)
FROM outcomes o
CROSS JOIN LATERAL unnest(o.contact_ids) u (contact_id)
WHERE o.account_id = :account_id AND o.job_id = :id;

-- name: merge_repeated(account_id, id)
-- Merge the results of contacts that several chunks name: the last item keeps the result, the earlier ones are merged
-- into it. Only for chunks that ran in parallel, so the condition is that of `overlaps` in `claim` of finish.sql. Skipped
-- items are left out, because they did not change their contact. Results that are already corrected stay. One sort by
-- contact; a window function, not a join, because a join needs statistics to be fast.
WITH job AS (
    SELECT FROM jobs WHERE account_id = :account_id AND id = :id AND parallel > 1 AND EXISTS (
        SELECT FROM chunks WHERE account_id = :account_id AND job_id = :id AND updated + unchanged > 0)
), named AS (
    SELECT o.first_index AS chunk, o.first_index + u.position::int - 1 AS item_index, u.contact_id, u.outcome,
        u.note
    FROM outcomes o
    CROSS JOIN LATERAL unnest(o.contact_ids, o.outcomes, o.notes)
        WITH ORDINALITY u (contact_id, outcome, note, position)
    WHERE o.account_id = :account_id AND o.job_id = :id AND u.contact_id IS NOT NULL
      AND u.outcome <> @outcome.skipped@ AND EXISTS (SELECT FROM job)
), compared AS (
    SELECT n.*, max(item_index) OVER same AS last_index, min(outcome) OVER same AS best,
        min(chunk) OVER same < max(chunk) OVER same AS repeated
    FROM named n WINDOW same AS (PARTITION BY contact_id)
), changed AS (
    INSERT INTO outcome_changes (account_id, job_id, item_index, was, outcome, contact_id, merged_into, note)
    SELECT :account_id, :id, item_index, outcome,
        CASE WHEN item_index = last_index THEN best ELSE @outcome.merged@ END, contact_id,
        NULLIF(last_index, item_index), CASE WHEN item_index = last_index THEN note END
    FROM compared WHERE repeated
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT count(*) AS changes FROM changed;

-- name: fail_last(account_id, id, contact_id, chunks)
-- Correct the results of a contact whose last item fails: the earlier ones are merged into it. `chunks` are the first
-- indexes of the chunks that name the contact. Returns the index of the item, or no row if this is already done.
WITH named AS (
    SELECT o.first_index + u.position::int - 1 AS item_index, u.outcome
    FROM outcomes o
    CROSS JOIN LATERAL unnest(o.contact_ids, o.outcomes) WITH ORDINALITY u (contact_id, outcome, position)
    WHERE o.account_id = :account_id AND o.job_id = :id AND o.first_index = ANY (:chunks::int[])
      AND u.contact_id = :contact_id
), compared AS (
    SELECT n.*, max(item_index) OVER () AS last_index FROM named n
), changed AS (
    INSERT INTO outcome_changes (account_id, job_id, item_index, was, outcome, contact_id, merged_into)
    SELECT :account_id, :id, item_index, outcome,
        CASE WHEN item_index = last_index THEN @outcome.failed@ ELSE @outcome.merged@ END, :contact_id,
        NULLIF(last_index, item_index)
    FROM compared
    ON CONFLICT DO NOTHING
    RETURNING item_index, merged_into
)
SELECT item_index FROM changed WHERE merged_into IS NULL;

-- name: add_errors(account_id, id, error_indexes, refs, fields, codes, messages, values, items)!
INSERT INTO item_errors (account_id, job_id, item_index, ref, field, code, message, value, item)
SELECT :account_id, :id, e.*
FROM unnest(:error_indexes::int[], :refs::text[], :fields::text[], :codes::text[], :messages::text[],
            :values::json[], :items::json[]) e;

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
    SELECT o.first_index, o.outcomes, o.contact_ids, o.merged_into, o.notes, o.fields
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
    SELECT p.first_index + u.position::int - 1 AS item_index, u.outcome, u.contact_id, u.merged_into, u.note,
        p.fields -> u.position::text AS fields
    FROM picked p
    CROSS JOIN LATERAL unnest(p.outcomes, p.contact_ids, p.merged_into, p.notes)
        WITH ORDINALITY u (outcome, contact_id, merged_into, note, position)
)
SELECT a.item_index, COALESCE(h.outcome, a.outcome) AS outcome,
    COALESCE(h.contact_id, a.contact_id) AS contact_id,
    COALESCE(h.merged_into, a.merged_into) AS merged_into,
    CASE WHEN h.item_index IS NULL THEN a.note ELSE h.note END AS note, a.fields, e.code, e.message
FROM plain a
LEFT JOIN outcome_changes h ON h.account_id = :account_id AND h.job_id = :id AND h.item_index = a.item_index
LEFT JOIN item_errors e ON e.account_id = :account_id AND e.job_id = :id AND e.item_index = a.item_index
WHERE a.item_index > :after
ORDER BY a.item_index;
