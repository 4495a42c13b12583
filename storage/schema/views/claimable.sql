-- The chunks that may be claimed now: for each stream, the first ready chunk of the oldest unfinished job, if fewer
-- than `parallel` chunks of that job are in flight and no error of ours delays it. Dry runs are excluded, because one worker applies the whole of
-- a dry run. An account has no claimable chunk while one of its dry runs is running. The claim itself checks the
-- window and the turn.
CREATE OR REPLACE VIEW claimable AS
SELECT s.account_id, s.stream, head.id AS job_id, head.stream_position, head.operation, head.total, head.failures, head.parallel,
    ready.first_index, ready.items, ready.deaths, ready.bytes
FROM streams s
CROSS JOIN LATERAL (
    SELECT j.id, j.stream_position, j.operation, j.total, j.failures, j.parallel, j.dry_run, j.retry_at
    FROM jobs j
    WHERE j.account_id = s.account_id AND j.stream = s.stream AND j.state IN ('queued', 'running')
      AND j.stream_position > 0 AND j.stream_position > s.ended_position -- skips the dead index entries of jobs that have ended
    ORDER BY j.stream_position
    LIMIT 1
) head
CROSS JOIN LATERAL (
    SELECT c.first_index, c.items, c.deaths, c.byte_end - c.byte_start AS bytes
    FROM chunks c
    WHERE c.account_id = s.account_id AND c.job_id = head.id AND c.state = 'ready'
    ORDER BY c.first_index
    LIMIT 1
) ready
WHERE s.pending > 0 AND NOT head.dry_run AND NOT delayed(head.retry_at)
  AND NOT EXISTS (SELECT FROM running_dry_runs r WHERE r.account_id = s.account_id OFFSET 0)
  AND head.parallel > (
    SELECT count(*)
    FROM chunks c
    WHERE c.account_id = s.account_id AND c.job_id = head.id AND c.state = 'running'
);
