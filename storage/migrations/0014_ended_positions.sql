-- The first unfinished job of a stream is found without the index entries of the jobs that have ended before it. And a
-- look-up of one job cannot take an index that reads all jobs of its account: see jobs_queue in tables.sql.

ALTER TABLE streams ADD ended_position bigint NOT NULL DEFAULT 0;
DROP INDEX jobs_accepted;
DROP INDEX jobs_queue;
CREATE INDEX jobs_queue ON jobs (account_id, stream, stream_position)
    WHERE state IN ('queued', 'running') AND stream_position > 0;
