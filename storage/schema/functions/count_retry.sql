-- Take a job out of the lists and numbers of those that can be retried. The triggers on jobs call this function for each
-- retry that is accepted. The lock on the retried job lets two retries, or a retry and the deletion of the job, do this one
-- after the other; the next statement sees what the first one has done.
CREATE OR REPLACE FUNCTION count_retry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    job record;
BEGIN
    SELECT operation, state, tags, name, received_at INTO job FROM jobs
    WHERE account_id = NEW.account_id AND id = NEW.parent_id FOR NO KEY UPDATE;
    WITH gone AS (
        DELETE FROM job_history
        WHERE account_id = NEW.account_id AND tag = ANY (array_prepend('', job.tags)) AND name = ANY (ARRAY['', job.name])
          AND operation = job.operation AND state = '@retryable@' || job.state
          AND received_at = job.received_at AND job_id = NEW.parent_id
        RETURNING account_id, tag, name, date_bin('1 hour', received_at, 'epoch') AS hour, operation, state
    )
    INSERT INTO job_count_changes (account_id, tag, name, hour, operation, state, jobs)
    SELECT account_id, tag, name, hour, operation, state, -1 FROM gone;
    RETURN NULL;
END
$$;
