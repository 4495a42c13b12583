-- name: any(account_id, id)$
-- Whether any chunk of the job was applied before a chunk with a lower index. A chunk without a number was applied by
-- a release that gave none; it counts as applied before all others.
SELECT EXISTS (
    SELECT FROM (
        SELECT COALESCE(applied, 0) < lag(COALESCE(applied, 0)) OVER (ORDER BY first_index) AS early
        FROM chunks WHERE account_id = :account_id AND job_id = :id AND state = 'done'
    ) compared
    WHERE early);

-- name: declare(account_id, id)!
-- Open the cursor `reordered`: the contacts that the job changed out of order, each with the first indexes of the
-- chunks that name it, in order. One pass over all results and one sort by contact. The contacts come in the order of
-- their first items, so that neighbours need the same chunks. The rows stay readable after the COMMIT, without the
-- snapshot, which would keep dead rows from being removed.
DECLARE reordered NO SCROLL CURSOR WITH HOLD FOR
WITH named AS (
    SELECT DISTINCT u.contact_id, o.first_index, COALESCE(c.applied, 0) AS applied
    FROM outcomes o
    CROSS JOIN LATERAL (
        SELECT applied FROM chunks
        WHERE account_id = :account_id AND job_id = :id AND first_index = o.first_index OFFSET 0
    ) c
    CROSS JOIN LATERAL unnest(o.contact_ids) u (contact_id)
    WHERE o.account_id = :account_id AND o.job_id = :id AND u.contact_id IS NOT NULL
), compared AS (
    SELECT n.*, applied < lag(applied) OVER (PARTITION BY contact_id ORDER BY first_index) AS early FROM named n
)
SELECT contact_id, array_agg(first_index ORDER BY first_index) AS chunks
FROM compared
GROUP BY contact_id
HAVING bool_or(early)
ORDER BY min(first_index), contact_id;

-- name: chunk(account_id, id, first_index)^
-- An applied chunk with its bytes and the contacts of its items.
SELECT c.first_index, c.items, c.skip, COALESCE(c.applied, 0) AS applied, o.contact_ids,
    substring(p.body FROM c.byte_start + 1 FOR c.byte_end - c.byte_start) AS body
FROM chunks c
JOIN parts p ON p.account_id = c.account_id AND p.job_id = c.job_id AND p.part = c.part
JOIN outcomes o ON o.account_id = c.account_id AND o.job_id = c.job_id AND o.first_index = c.first_index
WHERE c.account_id = :account_id AND c.job_id = :id AND c.first_index = :first_index;
