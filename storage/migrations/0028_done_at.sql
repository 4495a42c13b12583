-- When the results of a chunk were recorded: the throughput of a job over its time. Chunks that are done have no such time.

ALTER TABLE chunks ADD COLUMN done_at timestamptz;
