-- The reconciler looks for jobs to finish without reading those that wait for their first chunk or for their window.

CREATE INDEX jobs_unended ON jobs (retry_at NULLS FIRST)
    WHERE state IN ('queued', 'running') AND total IS NOT NULL AND lease_until IS NULL AND throttled_until IS NULL
      AND (state = 'running' OR cancel_requested_at IS NOT NULL OR error_code IS NOT NULL OR total = 0);
