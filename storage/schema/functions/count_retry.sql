-- Take a job out of the lists and numbers of those that can be retried. The triggers on jobs call this function for each
-- retry that is accepted. The lock on the retried job lets two retries do this one after the other; the next statement sees
-- what the first one has done. So a retry that must be the only one, as its idempotency key tells, is refused here if there
-- is another one. A job that is being deleted, which may take minutes, is not waited for: its deletion does the same.
CREATE OR REPLACE FUNCTION count_retry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    job record;
BEGIN
    IF NOT pg_try_advisory_xact_lock_shared(deletion_key(NEW.parent_id)) THEN
        RETURN NULL;
    END IF;
    SELECT operation, state, tags, name, received_at INTO job FROM jobs
    WHERE account_id = NEW.account_id AND id = NEW.parent_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    WITH gone AS (
        DELETE FROM job_history
        WHERE account_id = NEW.account_id AND tag = ANY (array_prepend('', job.tags)) AND name = ANY (ARRAY['', job.name])
          AND operation = job.operation AND state = '@retryable@' || job.state
          AND received_at = job.received_at AND job_id = NEW.parent_id
        RETURNING account_id, tag, name, date_bin('1 hour', received_at, 'epoch') AS hour, operation, state
    )
    INSERT INTO job_count_changes (account_id, tag, name, hour, operation, state, jobs)
    SELECT account_id, tag, name, hour, operation, state, -1 FROM gone;
    IF NOT FOUND AND starts_with(NEW.idempotency_key, '@only_retry@') THEN
        RAISE unique_violation USING CONSTRAINT = 'jobs_only_retry', MESSAGE = 'the job has a retry';
    END IF;
    RETURN NULL;
END
$$;
