-- Lease the first `p_items` items of a ready chunk; the rest becomes a new chunk. Writes the lease, the token
-- and the turn. `p_starts`: the job starts now, because no earlier job of its stream is unfinished. Returns the chunk
-- with its bytes; no row means that the chunk is not ready.
CREATE OR REPLACE FUNCTION lease_chunk(
    p_account_id bigint, p_job_id uuid, p_first_index integer, p_items integer, p_deaths integer,
    p_worker_id uuid, p_token bigint, p_lease_seconds double precision, p_credit_items integer,
    p_starts boolean
) RETURNS TABLE (
    job_id uuid, first_index integer, items integer, skip integer, token bigint, deaths integer,
    failures smallint, total integer, operation text, params jsonb, format text, layout jsonb, body bytea
) LANGUAGE sql VOLATILE ROWS 1 AS $$
    WITH chunk AS MATERIALIZED (
        SELECT * FROM chunks
        WHERE account_id = p_account_id AND job_id = p_job_id AND first_index = p_first_index
          AND state = 'ready'
        FOR UPDATE
    ), rest AS (
        INSERT INTO chunks (account_id, job_id, first_index, items, part, byte_start, byte_end, skip, deaths)
        SELECT account_id, job_id, first_index + p_items, items - p_items, part, byte_start, byte_end,
            skip + p_items, p_deaths
        FROM chunk WHERE items > p_items
    ), leased AS (
        UPDATE chunks c SET state = 'running', items = p_items, deaths = p_deaths, token = p_token,
            worker_id = p_worker_id, lease_until = now() + make_interval(secs => p_lease_seconds)
        FROM chunk
        WHERE c.account_id = chunk.account_id AND c.job_id = chunk.job_id AND c.first_index = chunk.first_index
        RETURNING c.*
    ), started AS (
        UPDATE jobs j SET state = 'running', started_at = COALESCE(j.started_at, clock_timestamp()),
            throttled_until = NULL
        FROM chunk
        WHERE j.account_id = chunk.account_id AND j.id = chunk.job_id
          AND p_starts AND (j.state = 'queued' OR j.throttled_until IS NOT NULL)
    ), served AS (
        -- an account that waited for its window may catch up by p_credit_items at most
        UPDATE account_turns t SET start_tag = fair.start, virtual_time = fair.start + p_items,
            served_at = clock_timestamp(),
            last_stream = (SELECT j.stream FROM jobs j WHERE j.account_id = p_account_id AND j.id = p_job_id)
        FROM chunk, LATERAL (
            SELECT GREATEST(own.virtual_time, COALESCE((
                SELECT c.start_tag FROM account_turns c WHERE c.served_at IS NOT NULL
                ORDER BY c.served_at DESC NULLS LAST LIMIT 1), 0) - p_credit_items) AS start
            FROM account_turns own WHERE own.account_id = chunk.account_id
        ) fair
        WHERE t.account_id = chunk.account_id
    )
    SELECT l.job_id, l.first_index, l.items, l.skip, l.token, l.deaths, j.failures, j.total, j.operation,
        j.params, j.format, j.layout, substring(p.body FROM l.byte_start + 1 FOR l.byte_end - l.byte_start)
    FROM leased l
    JOIN jobs j ON j.account_id = l.account_id AND j.id = l.job_id
    JOIN parts p ON p.account_id = l.account_id AND p.job_id = l.job_id AND p.part = l.part
$$;
