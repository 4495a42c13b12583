-- Without statistics, the statements that look for the running chunks of a job could take chunks_leases, and read those of all
-- workers. Its new condition is implied by the statements about one worker only. Uploads are counted by account.
DROP INDEX chunks_leases;
CREATE INDEX chunks_leases ON chunks (worker_id) WHERE state = 'running' AND worker_id IS NOT NULL;
DROP INDEX jobs_receiving;
CREATE INDEX jobs_receiving ON jobs (account_id, lease_until) WHERE state = 'receiving';
