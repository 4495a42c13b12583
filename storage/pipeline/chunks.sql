-- name: claim(worker_id, tokens, lease_seconds, max_deaths, credit_items, skip_limited, items, operations)
-- Lease the next chunk, or several small ones: see claim_chunks.
SELECT * FROM claim_chunks(:worker_id, :tokens, :lease_seconds, :max_deaths, :credit_items, :skip_limited, :items,
                           :operations::text[]);

-- name: choose(most, items, operations, max_deaths)
-- First step of a claim with item limits: lock turns and return chunks to lease. Between the steps the caller takes grants
-- of the windows.
SELECT * FROM choose_chunks(:most, :items, :operations::text[], :max_deaths, 'take');

-- name: lease(account_ids, ids, first_indexes, items, deaths, follows, tokens, worker_id, lease_seconds, credit_items)
-- Second step: lease as many items as the windows have granted. A chunk that is not ready any more is absent.
SELECT * FROM lease_chunks(:account_ids, :ids, :first_indexes, :items, :deaths, :follows, :tokens, :worker_id,
                           :lease_seconds, :credit_items);

-- name: fence(account_id, id, first_index, items, token, change)$
-- Lock the chunk and return true if this claim still holds it. Null: taken over, done or cancelled. What the transaction does
-- from now on is `change`: see keep_changed_contacts.
SELECT set_config('bulklane.change', :change, true) IS NOT NULL FROM chunks
WHERE account_id = :account_id AND job_id = :id AND first_index = :first_index AND items = :items
  AND token = :token AND state = 'running'
FOR UPDATE;

-- name: fence_all(account_ids, ids, first_indexes, items, tokens, change)$
-- As `fence`, for several chunks. Return how many of the claims still hold theirs. `change` is that of the first one.
-- Each is looked up by its key: a join that was planned while the table was small reads the whole table.
SELECT count(set_config('bulklane.change', :change, true))
FROM unnest(:account_ids::bigint[], :ids::uuid[], :first_indexes::int[], :items::int[], :tokens::bigint[])
    h (account_id, job_id, first_index, items, token)
CROSS JOIN LATERAL (
    SELECT FROM chunks c
    WHERE c.account_id = h.account_id AND c.job_id = h.job_id AND c.first_index = h.first_index
      AND (c.items = h.items AND c.token = h.token AND c.state = 'running') IS TRUE
    OFFSET 0 FOR UPDATE
) held;

-- name: release(account_id, id, first_index, token, deaths)!
-- Make a chunk ready again that could not be applied. `deaths` is 1 if the chunk may be the cause.
UPDATE chunks SET state = 'ready', token = 0, deaths = deaths + :deaths, worker_id = NULL, lease_until = NULL
WHERE account_id = :account_id AND job_id = :id AND first_index = :first_index
  AND token = :token AND state = 'running';

-- name: renew(worker_id, tokens, lease_seconds)
-- Renew the leases of all claims that a worker holds. Returns the tokens of the worker's chunks that are not among
-- `tokens`. Rows that a transaction has locked to apply them are skipped, because `expired` skips them, too.
WITH mine AS MATERIALIZED (
    SELECT account_id, job_id, first_index, token FROM chunks
    WHERE state = 'running' AND worker_id = :worker_id
    FOR UPDATE SKIP LOCKED
), renewed AS (
    UPDATE chunks c SET lease_until = now() + make_interval(secs => :lease_seconds)
    FROM mine
    WHERE c.account_id = ANY (ARRAY[mine.account_id]) AND c.job_id = mine.job_id AND c.first_index = mine.first_index
      AND mine.token = ANY (:tokens::bigint[])
)
SELECT token FROM mine WHERE token <> ALL (:tokens::bigint[]);

-- name: disown(worker_id, tokens)!
-- Make chunks ready again that a worker has leased without knowing it, or could not release.
UPDATE chunks SET state = 'ready', token = 0, worker_id = NULL, lease_until = NULL
WHERE state = 'running' AND worker_id = :worker_id AND token = ANY (:tokens::bigint[]);

-- name: expired()
-- The chunks whose leases have expired. Rows that a transaction has locked to apply them are skipped.
SELECT account_id, job_id, first_index, token, lease_until FROM chunks
WHERE state = 'running' AND NOT leased(lease_until)
FOR NO KEY UPDATE SKIP LOCKED;

-- name: free(account_ids, ids, first_indexes, tokens, ends)
-- Make the chunks of dead workers ready again, if their leases are still the same, and count a death for each.
WITH dead AS (
    SELECT d.account_id, d.job_id, d.first_index
    FROM unnest(:account_ids::bigint[], :ids::uuid[], :first_indexes::int[], :tokens::bigint[], :ends::timestamptz[])
        d (account_id, job_id, first_index, token, lease_until)
    CROSS JOIN LATERAL (
        SELECT FROM chunks
        WHERE account_id = d.account_id AND job_id = d.job_id AND first_index = d.first_index
          AND (token = d.token AND lease_until = d.lease_until AND state = 'running') IS TRUE
        OFFSET 0 FOR UPDATE SKIP LOCKED
    ) c
)
UPDATE chunks c SET state = 'ready', token = 0, deaths = c.deaths + 1, worker_id = NULL, lease_until = NULL
FROM dead
WHERE c.account_id = ANY (ARRAY[dead.account_id]) AND c.job_id = dead.job_id AND c.first_index = dead.first_index
RETURNING c.account_id, c.job_id, c.first_index;
