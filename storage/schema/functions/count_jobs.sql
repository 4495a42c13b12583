-- Maintain job_history and job_count_changes. The triggers on jobs call this function for each job that ends, or that is
-- deleted after its end. Nothing is updated here, so no transaction waits for another one.
CREATE OR REPLACE FUNCTION count_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    job record;
    sign integer := 1;
BEGIN
    IF TG_OP = 'DELETE' THEN
        job := OLD;
        sign := -1;
        DELETE FROM job_history
        WHERE account_id = job.account_id AND tag = ANY (array_prepend('', job.tags)) AND name = ANY (ARRAY['', job.name])
          AND operation = job.operation AND state = job.state AND received_at = job.received_at AND job_id = job.id;
    ELSE
        job := NEW;
        INSERT INTO job_history (account_id, tag, name, operation, state, received_at, job_id)
        SELECT job.account_id, f.tag, f.name, job.operation, job.state, job.received_at, job.id
        FROM job_facets(job.tags, job.name) f;
    END IF;
    INSERT INTO job_count_changes (account_id, tag, name, hour, operation, state, jobs)
    SELECT job.account_id, f.tag, f.name, date_bin('1 hour', job.received_at, 'epoch'), job.operation, job.state, sign
    FROM job_facets(job.tags, job.name) f;
    RETURN NULL;
END
$$;
