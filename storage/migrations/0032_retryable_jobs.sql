-- List and count the jobs that can be retried as job_history and job_counts do with all ended jobs. The triggers also do this for
-- workers and apis of the previous release, whose statements do not find these states. CREATE TRIGGER locks out writers until
-- the commit, so the first lists are exact.

DROP FUNCTION IF EXISTS job_facets(text[], text);
CREATE FUNCTION count_retry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;  -- `migrate` replaces it before the commit
END
$$;
CREATE TRIGGER retry_added AFTER INSERT ON jobs
    FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL AND NEW.accepted_at IS NOT NULL) EXECUTE FUNCTION count_retry();
CREATE TRIGGER retry_accepted AFTER UPDATE ON jobs
    FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL AND OLD.accepted_at IS NULL AND NEW.accepted_at IS NOT NULL)
    EXECUTE FUNCTION count_retry();

WITH added AS (
    INSERT INTO job_history (account_id, tag, name, operation, state, received_at, job_id)
    SELECT j.account_id, t.tag, n.name, j.operation, 'retryable ' || j.state, j.received_at, j.id
    FROM jobs j
    CROSS JOIN LATERAL unnest(array_prepend('', j.tags)) t (tag)
    CROSS JOIN LATERAL unnest(ARRAY['', j.name]) n (name)
    WHERE j.failed > 0 AND j.finished_at IS NOT NULL AND n.name IS NOT NULL
      AND NOT EXISTS (
        SELECT FROM jobs r
        WHERE r.parent_id = j.id AND r.account_id = j.account_id AND r.accepted_at IS NOT NULL)
    RETURNING account_id, tag, name, received_at, operation, state
)
INSERT INTO job_counts (account_id, tag, name, hour, operation, state, jobs)
SELECT account_id, tag, name, date_bin('1 hour', received_at, 'epoch'), operation, state, count(*) FROM added
GROUP BY 1, 2, 3, 4, 5, 6;
DROP INDEX jobs_retryable;
