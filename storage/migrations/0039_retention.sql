-- How long the ended jobs of an account are kept. Pruning looks for old jobs account by account, so the index begins with it.
ALTER TABLE accounts ADD keep_jobs_days integer CHECK (keep_jobs_days BETWEEN 1 AND 36500);
DROP INDEX jobs_ended;
CREATE INDEX jobs_ended ON jobs ((account_id + 0), finished_at) WHERE finished_at IS NOT NULL;
