-- Find the jobs that retry a job, and the jobs of an account that can be retried.
CREATE INDEX jobs_children ON jobs (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX jobs_retryable ON jobs (account_id, id) WHERE failed > 0 AND finished_at IS NOT NULL;
