-- The jobs that have not ended. An account has a limited number of them (MAX_UNFINISHED_JOBS), and two indexes have only these.
CREATE OR REPLACE VIEW unended_jobs AS
SELECT account_id, id, operation, state, received_at, name, tags FROM jobs
WHERE state IN ('queued', 'running') AND stream_position > 0
UNION ALL
SELECT account_id, id, operation, state, received_at, name, tags FROM jobs
WHERE state = 'receiving';
