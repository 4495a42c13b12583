-- `end_small_jobs` counts the jobs that it ends itself, all by one statement.

DROP TRIGGER job_ended ON jobs;
CREATE TRIGGER job_ended AFTER UPDATE ON jobs
    FOR EACH ROW WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL
                       AND current_setting('bulklane.counts_ends', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION count_jobs();
