-- Lease the next chunk of the account whose turn it is. If it is the only chunk of a small job, lease more of them: the
-- next jobs of its stream, then those of the next accounts, until there are `p_items` items or no tokens are left. The
-- worker applies them in one transaction, in this order. `follows`: an earlier job of the same stream is in this claim,
-- so the chunk must not be applied unless that one is.
--
-- If the first account has an item limit, the only row has no job_id: the caller must take a grant of its window first.
-- No row: there is nothing to claim. A chunk that a worker may have died of is leased alone, and so is every chunk of an
-- operation that is not among `p_operations`.
CREATE OR REPLACE FUNCTION claim_chunks(
    p_worker_id uuid, p_tokens bigint[], p_lease_seconds double precision, p_max_deaths integer,
    p_credit_items integer, p_skip_limited boolean, p_items integer, p_operations text[]
) RETURNS TABLE (
    account_id bigint, follows boolean, job_id uuid, first_index integer, items integer, skip integer, token bigint,
    deaths integer, failures smallint, total integer, operation text, params jsonb, format text, layout jsonb, body bytea
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    head record;
    job record;
    number integer := 0;
    taken integer := 0;
BEGIN
    WHILE number < cardinality(p_tokens) LOOP
        SELECT n.* INTO head FROM lock_next_chunk(p_max_deaths, p_skip_limited, number = 0) n;
        EXIT WHEN NOT FOUND;
        IF head.item_limit > 0 THEN
            IF number = 0 THEN
                account_id := head.account_id;
                RETURN NEXT;
            END IF;
            EXIT;
        END IF;
        SELECT j.stream, j.stream_position,
            j.total = head.items AND head.deaths = 0 AND j.failures = 0 AND j.operation = ANY (p_operations) AS small
        INTO job FROM jobs j WHERE j.account_id = head.account_id AND j.id = head.job_id;
        EXIT WHEN number > 0 AND (NOT job.small OR taken + head.items > p_items);
        number := number + 1;
        taken := taken + head.items;
        RETURN QUERY SELECT head.account_id, false, l.* FROM lease_chunk(
            head.account_id, head.job_id, head.first_index, head.items, head.deaths, p_worker_id, p_tokens[number],
            p_lease_seconds, p_credit_items, true) l;
        CONTINUE WHEN NOT FOUND;
        EXIT WHEN NOT COALESCE(job.small, false);
        FOR job IN
            SELECT j.id, c.items, c.state = 'ready' AND c.deaths = 0 AND c.items = j.total AND NOT j.dry_run
                AND j.cancel_requested_at IS NULL AND j.error_code IS NULL AND j.failures = 0
                AND NOT delayed(j.retry_at) AND j.operation = ANY (p_operations) AS small
            FROM jobs j
            LEFT JOIN chunks c ON c.account_id = j.account_id AND c.job_id = j.id AND c.first_index = 0
            WHERE j.account_id = head.account_id AND j.stream = job.stream AND j.stream_position > job.stream_position
              AND j.stream_position > 0 AND j.state IN ('queued', 'running')
            ORDER BY j.stream_position
        LOOP
            EXIT WHEN job.small IS NOT TRUE OR taken + job.items > p_items OR number = cardinality(p_tokens);
            number := number + 1;
            taken := taken + job.items;
            RETURN QUERY SELECT head.account_id, true, l.* FROM lease_chunk(
                head.account_id, job.id, 0, job.items, 0, p_worker_id, p_tokens[number],
                p_lease_seconds, p_credit_items, false) l;
            EXIT WHEN NOT FOUND;
        END LOOP;
    END LOOP;
END
$$;
