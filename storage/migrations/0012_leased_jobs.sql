-- The reconciler looks for expired leases of finishes every second.

CREATE INDEX jobs_leased ON jobs (lease_until) WHERE state IN ('queued', 'running') AND lease_until IS NOT NULL;
