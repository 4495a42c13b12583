-- Lock the turn of the account that has been served least among those with a claimable chunk, and return its next
-- chunk. Its streams are served in turns, in the order of their names. If the chunk is the only one of a small job, return
-- more of them: the next jobs of its stream, those of the account's next streams, then those of the next accounts, until
-- there are `p_items` items, `p_most` chunks or the bytes of a part, which bound the memory of a worker. The caller leases
-- them in this order and in this transaction. `follows`: an earlier job of the same stream is among the chosen ones.
--
-- `p_limited` tells what to do with the accounts that have an item limit: 'take' chooses them like the others, and the
-- caller must take a grant of each window; 'skip' leaves them out, because nobody can ask their windows; 'stop' ends the
-- choice. If such an account is the first one, the only row is null.
--
-- Turns that other workers have locked are skipped. If all are locked, the only row has the account_id of the first one and
-- nothing else: the caller must wait for that turn in a transaction that has locked no other, and choose again. This one
-- may have locked some, which deadlocks. No row: there is nothing to claim.
--
-- `items` and `deaths` are the values to lease. A chunk with `p_max_deaths` deaths is leased in halves. Each half
-- has one death left, so the splitting ends at the single item that causes the deaths. A chunk that a worker may have
-- died of is chosen alone, and so is every chunk of an operation that is not among `p_operations`.
--
-- This is a function, not a query, because the look for chunks must see what other transactions committed before the
-- lock of a turn was granted. The cursor locks one turn after another. One query looks for the chunks of 1, 2, 4, …
-- accounts, because to begin a query costs more than to run it, and to lock more turns than are served delays others.
-- `postgres_at` is read after the lock.
CREATE OR REPLACE FUNCTION choose_chunks(
    p_most integer, p_items integer, p_operations text[], p_max_deaths integer, p_limited text
) RETURNS TABLE (
    account_id bigint, item_limit integer, window_seconds integer, postgres_at timestamptz, job_id uuid, operation text,
    first_index integer, items integer, deaths integer, follows boolean
) LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    due refcursor;
    turn record;
    turns bigint[];
    last_streams text[];
    chunk record;
    width integer := 1;
    number integer := 0;
    taken integer := 0;
    bytes integer := 0;
    fits boolean;
    passed boolean;
    ends boolean := false;
BEGIN
    PERFORM wake_turns(p_most);
    -- most turns end with a claim that finds nothing: to begin the query below costs more than the rest of it
    IF NOT EXISTS (SELECT FROM account_turns t WHERE t.active AND t.ready_at <= t.throttled_at OFFSET 0) THEN
        RETURN;
    END IF;
    OPEN due NO SCROLL FOR
        SELECT t.account_id, COALESCE(t.last_stream, '') AS last_stream, a.item_limit
        FROM account_turns t
        CROSS JOIN LATERAL (SELECT l.item_limit FROM accounts l WHERE l.id = t.account_id OFFSET 0) a
        WHERE t.active AND t.ready_at <= t.throttled_at AND (p_limited <> 'skip' OR a.item_limit = 0)
          AND (EXISTS (SELECT FROM claimable c WHERE c.account_id = t.account_id AND c.stream > t.last_stream OFFSET 0)
               OR EXISTS (SELECT FROM claimable c WHERE c.account_id = t.account_id OFFSET 0))
        ORDER BY t.virtual_time FOR UPDATE OF t SKIP LOCKED;
    LOOP
        turns := '{}';
        last_streams := '{}';
        WHILE cardinality(turns) < width LOOP
            FETCH due INTO turn;
            EXIT WHEN NOT FOUND;
            ends := turn.item_limit > 0 AND p_limited = 'stop';
            EXIT WHEN ends;
            turns := turns || turn.account_id;
            last_streams := last_streams || turn.last_stream;
        END LOOP;
        EXIT WHEN turns = '{}';
        postgres_at := clock_timestamp();
        FOR chunk IN
            -- in the order of the turns; of each account the streams after the last one by name, then the others
            SELECT n.account_id, a.item_limit, a.window_seconds, k.*
            FROM unnest(turns, last_streams) n (account_id, last_stream)
            CROSS JOIN LATERAL (SELECT item_limit, window_seconds FROM accounts l WHERE l.id = n.account_id OFFSET 0) a
            CROSS JOIN LATERAL (
                (SELECT * FROM claimable c WHERE c.account_id = n.account_id AND c.stream > n.last_stream
                 ORDER BY c.stream LIMIT p_most)
                UNION ALL
                (SELECT * FROM claimable c WHERE c.account_id = n.account_id AND c.stream <= n.last_stream
                 ORDER BY c.stream LIMIT p_most)
            ) h
            CROSS JOIN LATERAL (
                SELECT h.items = h.total AND h.deaths = 0 AND h.failures = 0 AND h.operation = ANY (p_operations) AS small
            ) head
            CROSS JOIN LATERAL (
                SELECT h.job_id, h.operation, h.first_index, h.items, h.deaths, h.bytes, head.small IS TRUE AS small,
                    false AS follows
                UNION ALL
                (SELECT j.id, j.operation, c.first_index, c.items, c.deaths, c.byte_end - c.byte_start,
                    c.state = 'ready' AND c.deaths = 0 AND c.items = j.total AND NOT j.dry_run AND j.cancel_requested_at IS NULL AND j.error_code IS NULL
                    AND j.failures = 0 AND NOT delayed(j.retry_at) AND j.operation = ANY (p_operations), true
                 FROM jobs j
                 LEFT JOIN LATERAL (
                     SELECT o.first_index, o.items, o.deaths, o.state, o.byte_start, o.byte_end FROM chunks o
                     WHERE o.account_id = j.account_id AND o.job_id = j.id AND o.first_index = 0 OFFSET 0
                 ) c ON true
                 WHERE head.small AND j.account_id = h.account_id AND j.stream = h.stream
                   AND j.stream_position > h.stream_position
                   AND j.stream_position > 0 AND j.state IN ('queued', 'running')
                 ORDER BY j.stream_position LIMIT p_most)
            ) k
        LOOP
            fits := taken + chunk.items <= p_items AND bytes + chunk.bytes <= @claim_bytes@;
            IF chunk.follows THEN
                passed := passed OR chunk.small IS NOT TRUE OR NOT fits;
                CONTINUE WHEN passed;
            ELSE
                IF number > 0 AND NOT (chunk.small AND fits) THEN
                    RETURN;
                END IF;
                passed := false;
            END IF;
            account_id := chunk.account_id;
            item_limit := chunk.item_limit;
            window_seconds := chunk.window_seconds;
            job_id := chunk.job_id;
            operation := chunk.operation;
            first_index := chunk.first_index;
            items := chunk.items;
            deaths := chunk.deaths;
            follows := chunk.follows;
            IF chunk.deaths >= p_max_deaths AND chunk.items > 1 THEN
                items := chunk.items / 2;
                deaths := p_max_deaths - 1;
            END IF;
            RETURN NEXT;
            number := number + 1;
            taken := taken + chunk.items;
            bytes := bytes + chunk.bytes;
            IF NOT chunk.small OR number = p_most THEN
                RETURN;
            END IF;
        END LOOP;
        EXIT WHEN ends;
        width := LEAST(width + width, p_most - number);
    END LOOP;
    IF number > 0 THEN
        RETURN;
    END IF;
    IF ends THEN
        RETURN NEXT;
        RETURN;
    END IF;
    SELECT t.account_id INTO account_id FROM account_turns t
    CROSS JOIN LATERAL (SELECT l.item_limit FROM accounts l WHERE l.id = t.account_id OFFSET 0) a
    WHERE t.active AND t.ready_at <= t.throttled_at AND (p_limited <> 'skip' OR a.item_limit = 0)
      AND EXISTS (SELECT FROM claimable c WHERE c.account_id = t.account_id OFFSET 0)
    ORDER BY t.virtual_time LIMIT 1;
    IF FOUND THEN
        RETURN NEXT;
    END IF;
END
$$;
