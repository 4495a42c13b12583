-- The views and functions of revision 0003, without the bodies of the functions, which no migration reads.

CREATE OR REPLACE VIEW running_dry_runs AS
SELECT account_id FROM jobs WHERE dry_run AND state = 'running' AND lease_until > now();
CREATE OR REPLACE VIEW ready_dry_runs AS
SELECT j.account_id, j.id, j.accepted_at
FROM jobs j
WHERE j.dry_run AND j.state IN ('queued', 'running') AND j.total IS NOT NULL AND j.cancel_requested_at IS NULL
  AND (j.lease_until IS NULL OR j.lease_until < now())
  AND NOT EXISTS (SELECT FROM running_dry_runs r WHERE r.account_id = j.account_id)
  AND NOT EXISTS (
    SELECT FROM jobs e
    WHERE e.account_id = j.account_id AND e.stream = j.stream AND e.state IN ('queued', 'running')
      AND e.stream_position < j.stream_position
);
CREATE OR REPLACE VIEW claimable AS
SELECT s.account_id, s.stream, head.id AS job_id, head.accepted_at, ready.first_index
FROM streams s
CROSS JOIN LATERAL (
    SELECT j.id, j.accepted_at, j.parallel, j.dry_run
    FROM jobs j
    WHERE j.account_id = s.account_id AND j.stream = s.stream AND j.state IN ('queued', 'running')
    ORDER BY j.stream_position
    LIMIT 1
) head
CROSS JOIN LATERAL (
    SELECT c.first_index
    FROM chunks c
    WHERE c.account_id = s.account_id AND c.job_id = head.id AND c.state = 'ready'
    ORDER BY c.first_index
    LIMIT 1
) ready
WHERE s.pending > 0 AND NOT head.dry_run
  AND NOT EXISTS (SELECT FROM running_dry_runs r WHERE r.account_id = s.account_id)
  AND head.parallel > (
    SELECT count(*)
    FROM chunks c
    WHERE c.account_id = s.account_id AND c.job_id = head.id AND c.state = 'running'
);
CREATE FUNCTION lock_next_chunk(p_max_deaths integer) RETURNS integer LANGUAGE sql RETURN 1;
CREATE FUNCTION lease_chunk(
    p_account_id bigint, p_job_id uuid, p_first_index integer, p_items integer, p_deaths integer,
    p_granted_at timestamptz, p_worker_id uuid, p_lease_seconds double precision, p_credit_items integer
) RETURNS integer LANGUAGE sql RETURN 1;
INSERT INTO schema_version (revision, fingerprint) VALUES ('0003', 'of release 0003');
