-- Lease the chosen chunks: of each the first `p_items` items; the rest becomes a new chunk. Writes the leases, the tokens
-- and the turns. A job starts now, unless it follows another one that is not finished. Returns the chunks with their
-- bytes, in the order given. `waited`: the seconds since the acceptance of a job that had not started. A chunk that is not
-- ready is absent; this is impossible for what `choose_chunks` chose in this transaction.
CREATE OR REPLACE FUNCTION lease_chunks(
    p_account_ids bigint[], p_job_ids uuid[], p_first_indexes integer[], p_items integer[], p_deaths integer[],
    p_follows boolean[], p_tokens bigint[], p_worker_id uuid, p_lease_seconds double precision, p_credit_items integer
) RETURNS TABLE (
    account_id bigint, follows boolean, job_id uuid, first_index integer, items integer, skip integer, token bigint,
    deaths integer, failures smallint, total integer, operation text, params jsonb, format text, layout jsonb,
    waited double precision, trace text, body bytea
) LANGUAGE plpgsql AS $$ -- not sql, because such a function plans its statement at each call
#variable_conflict use_column
DECLARE
    moment timestamptz := clock_timestamp(); -- later times are from before the clock was set back
BEGIN
    RETURN QUERY
    WITH chunk AS MATERIALIZED (
        SELECT c.*, n.items, n.deaths, n.follows, n.token, n.place
        FROM unnest(p_account_ids, p_job_ids, p_first_indexes, p_items, p_deaths, p_follows, p_tokens)
            WITH ORDINALITY n (account_id, job_id, first_index, items, deaths, follows, token, place)
        CROSS JOIN LATERAL (
            SELECT h.ctid AS at, h.account_id, h.job_id, h.first_index, h.items AS held, h.part, h.byte_start, h.byte_end, h.skip
            FROM chunks h
            WHERE h.account_id = n.account_id AND h.job_id = n.job_id AND h.first_index = n.first_index
              AND (h.state = 'ready') IS TRUE OFFSET 0 FOR UPDATE
        ) c
    ), rest AS (
        INSERT INTO chunks (account_id, job_id, first_index, items, part, byte_start, byte_end, skip, deaths)
        SELECT account_id, job_id, first_index + items, held - items, part, byte_start, byte_end, skip + items, deaths
        FROM chunk WHERE held > items
    ), leased AS (
        UPDATE chunks c SET state = 'running', items = chunk.items, deaths = chunk.deaths, token = chunk.token,
            worker_id = p_worker_id, lease_until = now() + make_interval(secs => p_lease_seconds), claimed_at = moment
        FROM chunk WHERE c.ctid = chunk.at
    ), job AS MATERIALIZED (
        SELECT chunk.*, j.stream, j.failures, j.total, j.operation, j.params, j.format, j.layout, j.trace,
            CASE WHEN j.started_at IS NULL THEN GREATEST(extract('epoch' FROM moment - j.accepted_at), 0)::float8 END AS waited,
            NOT chunk.follows AND (j.state = 'queued' OR j.throttled_until IS NOT NULL) AS starts
        FROM chunk
        CROSS JOIN LATERAL (SELECT * FROM jobs o WHERE o.account_id = chunk.account_id AND o.id = chunk.job_id OFFSET 0) j
    ), started AS (
        UPDATE jobs j SET state = 'running', started_at = COALESCE(j.started_at, clock_timestamp()),
            throttled_until = NULL
        FROM job WHERE j.account_id = ANY (ARRAY[job.account_id]) AND j.id = job.job_id AND job.starts
    ), served AS (
        -- an account that waited for its window may catch up by p_credit_items at most
        UPDATE account_turns t SET start_tag = fair.start, virtual_time = fair.start + fair.items,
            served_at = clock_timestamp(), last_stream = fair.stream
        FROM (
            SELECT own.account_id, account.items, account.stream,
                GREATEST(own.virtual_time, clock.start_tag - p_credit_items) AS start
            FROM (
                SELECT account_id, sum(items) AS items, (array_agg(stream ORDER BY place DESC))[1] AS stream
                FROM job GROUP BY account_id ORDER BY min(place)
            ) account
            CROSS JOIN LATERAL (
                SELECT w.account_id, w.virtual_time FROM account_turns w WHERE w.account_id = account.account_id OFFSET 0
            ) own
            CROSS JOIN (
                SELECT COALESCE((
                    SELECT c.start_tag FROM account_turns c WHERE c.served_at <= moment
                    ORDER BY c.served_at DESC NULLS LAST LIMIT 1), 0) AS start_tag
            ) clock
        ) fair
        WHERE t.account_id = ANY (ARRAY[fair.account_id])
    )
    SELECT job.account_id, job.follows, job.job_id, job.first_index, job.items, job.skip, job.token, job.deaths, job.failures,
        job.total, job.operation, job.params, job.format, job.layout, job.waited,
        job.trace, substring(p.body FROM job.byte_start + 1 FOR job.byte_end - job.byte_start)
    FROM job
    CROSS JOIN LATERAL (
        SELECT body FROM parts r WHERE r.account_id = job.account_id AND r.job_id = job.job_id AND r.part = job.part OFFSET 0
    ) p
    ORDER BY job.place;
END
$$;
