-- Lock the turn of the account that has been served least among those with a claimable chunk, and return its next
-- chunk. Its streams are served in turns, in the order of their names. Turns that other workers have locked are skipped.
-- If all are locked, wait for the first one, if `p_wait` allows it: never wait for a turn while holding another.
-- No row: there is nothing to claim, or other workers were faster five times.
-- `p_skip_limited` leaves out the accounts with an item limit, while nobody can ask their window.
--
-- `items` and `deaths` are the values to lease. A chunk with `p_max_deaths` deaths is leased in halves. Each half
-- has one death left, so the splitting ends at the single item that causes the deaths.
--
-- This is a function, not a query, because its second statement must see what other transactions committed while
-- the first statement waited for its lock.
CREATE OR REPLACE FUNCTION lock_next_chunk(p_max_deaths integer, p_skip_limited boolean, p_wait boolean) RETURNS TABLE (
    account_id bigint, item_limit integer, window_seconds integer,
    job_id uuid, operation text, first_index integer, items integer, deaths integer
) LANGUAGE plpgsql AS $$
DECLARE
    turn record;
    chosen record;
BEGIN
    FOR attempt IN 1..5 LOOP
        SELECT t.account_id, COALESCE(t.last_stream, '') AS last_stream INTO turn FROM account_turns t
        WHERE t.active AND clock_timestamp() NOT BETWEEN t.throttled_at AND t.ready_at
          AND (NOT p_skip_limited OR EXISTS (SELECT FROM accounts a WHERE a.id = t.account_id AND a.item_limit = 0))
          AND EXISTS (SELECT FROM claimable c WHERE c.account_id = t.account_id OFFSET 0)
        ORDER BY t.virtual_time LIMIT 1 FOR UPDATE OF t SKIP LOCKED;
        IF NOT FOUND AND attempt = 1 AND p_wait THEN
            SELECT t.account_id, COALESCE(t.last_stream, '') AS last_stream INTO turn FROM account_turns t
            WHERE t.active AND clock_timestamp() NOT BETWEEN t.throttled_at AND t.ready_at
              AND (NOT p_skip_limited OR EXISTS (SELECT FROM accounts a WHERE a.id = t.account_id AND a.item_limit = 0))
              AND EXISTS (SELECT FROM claimable c WHERE c.account_id = t.account_id OFFSET 0)
            ORDER BY t.virtual_time LIMIT 1 FOR UPDATE OF t;
        END IF;
        IF NOT FOUND THEN
            RETURN;
        END IF;
        -- the next stream by name after the last one, or else the first one; LIMIT keeps this from reading all streams
        SELECT c.stream INTO chosen FROM claimable c
        WHERE c.account_id = turn.account_id AND c.stream > turn.last_stream
        ORDER BY c.stream LIMIT 1;
        IF NOT FOUND THEN
            SELECT c.stream INTO chosen FROM claimable c
            WHERE c.account_id = turn.account_id
            ORDER BY c.stream LIMIT 1;
        END IF;
        RETURN QUERY
        SELECT n.account_id, a.item_limit, a.window_seconds, n.job_id, j.operation, n.first_index,
            CASE WHEN c.deaths >= p_max_deaths AND c.items > 1 THEN c.items / 2 ELSE c.items END,
            CASE WHEN c.deaths >= p_max_deaths AND c.items > 1 THEN p_max_deaths - 1 ELSE c.deaths END
        FROM (SELECT * FROM claimable h WHERE h.account_id = turn.account_id AND h.stream = chosen.stream LIMIT 1) n
        JOIN accounts a ON a.id = n.account_id
        CROSS JOIN LATERAL ( -- a join may begin with all chunks of the job
            SELECT r.operation FROM jobs r WHERE r.account_id = n.account_id AND r.id = n.job_id OFFSET 0
        ) j
        CROSS JOIN LATERAL (
            SELECT r.items, r.deaths FROM chunks r
            WHERE r.account_id = n.account_id AND r.job_id = n.job_id AND r.first_index = n.first_index OFFSET 0
        ) c;
        IF FOUND THEN
            RETURN;
        END IF; -- another worker claimed the chunk while this one waited for the lock: try another account
    END LOOP;
END
$$;
