-- The dry runs that a worker may claim: they are split, at the head of their stream, neither leased nor delayed nor
-- stopped, and no other dry run of the account is running. `lease_until` is not null if a worker did not release it.
CREATE OR REPLACE VIEW ready_dry_runs AS
SELECT j.account_id, j.id, j.accepted_at, j.token, j.lease_until
FROM jobs j
WHERE j.dry_run AND j.state IN ('queued', 'running') AND j.total IS NOT NULL AND j.cancel_requested_at IS NULL
  AND j.error_code IS NULL AND NOT leased(j.lease_until) AND NOT delayed(j.retry_at)
  AND NOT EXISTS (SELECT FROM running_dry_runs r WHERE r.account_id = j.account_id OFFSET 0)
  AND NOT EXISTS (
    SELECT FROM jobs e
    WHERE e.account_id = j.account_id AND e.stream = j.stream AND e.state IN ('queued', 'running')
      AND e.stream_position > 0 AND e.stream_position < j.stream_position
    OFFSET 0
);
