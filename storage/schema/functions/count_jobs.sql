-- Maintain job_history and job_count_changes. The triggers on jobs call this function for each job that ends, or that is
-- deleted after its end. A job that ends can be retried if an item failed: a retry begins later. Nothing is updated here, so
-- no transaction waits for another one.
CREATE OR REPLACE FUNCTION count_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        WITH gone AS (
            DELETE FROM job_history
            WHERE account_id = OLD.account_id AND tag = ANY (array_prepend('', OLD.tags)) AND name = ANY (ARRAY['', OLD.name])
              AND operation = OLD.operation AND state = ANY (ARRAY[OLD.state, '@retryable@' || OLD.state])
              AND received_at = OLD.received_at AND job_id = OLD.id
            RETURNING account_id, tag, name, date_bin('1 hour', received_at, 'epoch') AS hour, operation, state
        )
        INSERT INTO job_count_changes (account_id, tag, name, hour, operation, state, jobs)
        SELECT account_id, tag, name, hour, operation, state, -1 FROM gone;
    ELSE
        WITH added AS (
            INSERT INTO job_history (account_id, tag, name, operation, state, received_at, job_id)
            SELECT NEW.account_id, f.tag, f.name, NEW.operation, f.state, NEW.received_at, NEW.id
            FROM job_facets(NEW.tags, NEW.name, NEW.state, NEW.failed > 0) f
            RETURNING account_id, tag, name, date_bin('1 hour', received_at, 'epoch') AS hour, operation, state
        )
        INSERT INTO job_count_changes (account_id, tag, name, hour, operation, state, jobs)
        SELECT account_id, tag, name, hour, operation, state, 1 FROM added;
    END IF;
    RETURN NULL;
END
$$;
