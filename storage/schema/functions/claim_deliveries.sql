-- Lease up to one delivery for each token, of the webhooks whose deliveries are due longest. Accounts in `p_busy` have enough
-- deliveries in the worker and are left out. Of a webhook, @parallel@ deliveries are sent at a time, or one if it is ordered or
-- its last @doubtful_failures@ attempts have failed, so a slow endpoint holds no more. Webhooks that another worker has locked are
-- skipped. It looks at all webhooks that are due until the tokens are used: many may have as many on their way as they may.
CREATE OR REPLACE FUNCTION claim_deliveries(p_tokens bigint[], p_busy bigint[], p_lease_seconds double precision)
RETURNS TABLE (
    account_id bigint, webhook_id text, number bigint, token bigint, id uuid, event text, job_id uuid,
    throttled_until timestamptz, created_at timestamptz, age_seconds double precision, tries integer, faults integer, url text,
    keys bytea[]
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    hook record;
    used integer := 0;
    found_rows integer;
    room integer;
BEGIN
    FOR hook IN
        SELECT w.account_id, w.id, w.ordered, w.url, w.failures,
            CASE WHEN w.previous_until > now() THEN ARRAY[w.secret, w.previous_secret] ELSE ARRAY[w.secret] END AS keys
        FROM webhooks w
        WHERE w.due_at <= clock_timestamp() AND w.state = 'on' AND w.account_id <> ALL (p_busy)
        ORDER BY w.due_at FOR UPDATE SKIP LOCKED
    LOOP
        EXIT WHEN used >= cardinality(p_tokens);
        SELECT CASE WHEN hook.failures >= @doubtful_failures@ THEN 1 ELSE @parallel@ END - count(*) INTO room
        FROM webhook_deliveries d WHERE d.account_id = hook.account_id AND d.webhook_id = hook.id AND d.state = 'sending';
        IF hook.ordered THEN
            room := CASE WHEN next_delivery(hook.account_id, hook.id, true) <= clock_timestamp() THEN 1 ELSE 0 END;
        END IF;
        RETURN QUERY
        WITH chosen AS MATERIALIZED (
            SELECT d.ctid AS place, row_number() OVER () AS n
            FROM (
                (SELECT o.ctid, o.due_at FROM webhook_deliveries o
                 WHERE hook.ordered AND o.account_id = hook.account_id AND o.webhook_id = hook.id
                   AND o.state IN ('new', 'waiting', 'sending')
                 ORDER BY o.number LIMIT room)
                UNION ALL
                (SELECT u.ctid, u.due_at FROM webhook_deliveries u
                 WHERE NOT hook.ordered AND u.account_id = hook.account_id AND u.webhook_id = hook.id AND u.state = 'waiting'
                   AND u.due_at <= clock_timestamp()
                 ORDER BY u.due_at LIMIT LEAST(GREATEST(room, 0), cardinality(p_tokens) - used))
            ) d
        )
        UPDATE webhook_deliveries d SET state = 'sending', token = p_tokens[used + chosen.n::int],
            lease_until = now() + make_interval(secs => p_lease_seconds)
        FROM chosen WHERE d.ctid = chosen.place AND d.state = 'waiting'
        RETURNING d.account_id, d.webhook_id, d.number, d.token, d.id, d.event, d.job_id, d.throttled_until, d.created_at,
            EXTRACT(EPOCH FROM now() - d.queued_at)::double precision, d.tries, d.faults, hook.url, hook.keys;
        GET DIAGNOSTICS found_rows = ROW_COUNT;
        used := used + found_rows;
        UPDATE webhooks w SET due_at = next_delivery(hook.account_id, hook.id, hook.ordered)
        WHERE w.account_id = hook.account_id AND w.id = hook.id;
    END LOOP;
END
$$;
