-- Maintain job_history and job_count_changes. The triggers on jobs call this function for each job that ends, or that is
-- deleted after its end. Nothing is updated here, so no transaction waits for another one.
CREATE OR REPLACE FUNCTION count_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    job record;
    sign integer := 1;
BEGIN
    IF TG_OP <> 'DELETE' AND NEW.name IS NULL AND NEW.tags = '{}' THEN -- as below, in less time
        INSERT INTO job_history (account_id, tag, name, operation, state, received_at, job_id)
        VALUES (NEW.account_id, '', '', NEW.operation, NEW.state, NEW.received_at, NEW.id);
        INSERT INTO job_count_changes (account_id, tag, name, hour, operation, state, jobs) VALUES
            (NEW.account_id, '', '', date_bin('1 hour', NEW.received_at, 'epoch'), NEW.operation, NEW.state, 1);
        RETURN NULL;
    END IF;
    IF TG_OP = 'DELETE' THEN
        job := OLD;
        sign := -1;
        DELETE FROM job_history
        WHERE account_id = job.account_id AND tag = ANY (array_prepend('', job.tags)) AND name = ANY (ARRAY['', job.name])
          AND operation = job.operation AND state = job.state AND received_at = job.received_at AND job_id = job.id;
    ELSE
        job := NEW;
        INSERT INTO job_history (account_id, tag, name, operation, state, received_at, job_id)
        SELECT job.account_id, t.tag, n.name, job.operation, job.state, job.received_at, job.id
        FROM unnest(array_prepend('', job.tags)) t (tag), unnest(ARRAY['', job.name]) n (name)
        WHERE n.name IS NOT NULL;
    END IF;
    INSERT INTO job_count_changes (account_id, tag, name, hour, operation, state, jobs)
    SELECT job.account_id, t.tag, n.name, date_bin('1 hour', job.received_at, 'epoch'), job.operation, job.state, sign
    FROM unnest(array_prepend('', job.tags)) t (tag), unnest(ARRAY['', job.name]) n (name)
    WHERE n.name IS NOT NULL;
    RETURN NULL;
END
$$;
