-- Tokens that never repeat, jobs that are delayed after an error of ours, turns that a clock step does not freeze.
--
-- As after 0003, the queries of old workers that use a view or a function that is dropped here fail, write nothing,
-- and are repeated by the workers of this release. IF EXISTS: 0003 may have dropped them in the same transaction.

DROP VIEW IF EXISTS claimable, ready_dry_runs, running_dry_runs;
DROP FUNCTION IF EXISTS lock_next_chunk(integer);
DROP FUNCTION IF EXISTS lease_chunk(bigint, uuid, integer, integer, integer, timestamptz, uuid, double precision, integer);

ALTER TABLE chunks ALTER COLUMN token TYPE bigint;
DROP INDEX chunks_leases;
CREATE INDEX chunks_leases ON chunks (worker_id) WHERE state = 'running';

ALTER TABLE jobs ADD token bigint, ADD failures smallint NOT NULL DEFAULT 0, ADD retry_at timestamptz,
    ADD stored_errors bigint NOT NULL DEFAULT 0;
CREATE INDEX jobs_delayed ON jobs (retry_at) WHERE retry_at IS NOT NULL;

ALTER TABLE account_turns ADD throttled_at timestamptz NOT NULL DEFAULT now();
