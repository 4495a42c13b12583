-- The numbers of ended jobs: those that are folded, and the changes since.
CREATE OR REPLACE VIEW job_numbers AS
SELECT account_id, tag, name, hour, operation, state, jobs FROM job_counts
UNION ALL
SELECT account_id, tag, name, hour, operation, state, jobs::bigint FROM job_count_changes;
