-- Choose the next chunks and lease them in one statement, as far as no window has to be asked: see choose_chunks and
-- lease_chunks. If the only row has no job_id, it tells what the caller must do first: wait for the turn of account_id, or,
-- if that is null, choose in a transaction, because the first account has an item limit. No row: there is nothing to claim.
CREATE OR REPLACE FUNCTION claim_chunks(
    p_worker_id uuid, p_tokens bigint[], p_lease_seconds double precision, p_max_deaths integer,
    p_credit_items integer, p_skip_limited boolean, p_items integer, p_operations text[]
) RETURNS TABLE (
    account_id bigint, follows boolean, job_id uuid, first_index integer, items integer, skip integer, token bigint,
    deaths integer, failures smallint, total integer, operation text, params jsonb, format text, layout jsonb,
    waited double precision, trace text, body bytea
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    chosen record;
BEGIN
    SELECT array_agg(c.account_id) AS account_ids, array_agg(c.job_id) AS job_ids, array_agg(c.first_index) AS first_indexes,
        array_agg(c.items) AS items, array_agg(c.deaths) AS deaths, array_agg(c.follows) AS follows
    INTO chosen
    FROM choose_chunks(cardinality(p_tokens), p_items, p_operations, p_max_deaths,
        CASE WHEN p_skip_limited THEN 'skip' ELSE 'stop' END) c;
    IF chosen.account_ids IS NULL THEN
        RETURN;
    END IF;
    IF chosen.job_ids[1] IS NULL THEN
        account_id := chosen.account_ids[1];
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY SELECT * FROM lease_chunks(
        chosen.account_ids, chosen.job_ids, chosen.first_indexes, chosen.items, chosen.deaths, chosen.follows,
        p_tokens, p_worker_id, p_lease_seconds, p_credit_items);
END
$$;
