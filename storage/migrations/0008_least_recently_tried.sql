-- Jobs to split are read in the order in which they were tried, so that jobs in trouble hide no others.

DROP INDEX jobs_unsplit;
CREATE INDEX jobs_unsplit ON jobs (retry_at NULLS FIRST, accepted_at) WHERE state IN ('queued', 'running') AND total IS NULL;
