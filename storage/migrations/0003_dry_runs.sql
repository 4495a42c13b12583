-- Drop the old views and functions, whose current text is in storage/schema, rename an index, add schema_version.
--
-- Workers of the previous release may run for some seconds after this migration. Their queries that use a view or a
-- function that is dropped here (to claim a chunk, to claim a dry run, to claim the finish of a job) fail with
-- undefined_table or undefined_function. Such a query writes nothing, and no chunk counts a death. The workers repeat
-- the query until they are stopped, and the workers of this release take over the work. Chunks in flight are recorded
-- and uploads are accepted as usual, because neither uses a view or a function.

-- The views are dropped first: a claim locks `claimable` before a turn, so it holds no turn while it waits for this
-- transaction.
DROP VIEW claimable, rehearsable, rehearsing;
DROP FUNCTION lock_next_chunk();
DROP FUNCTION lease_chunk(bigint, uuid, integer, integer, integer, timestamptz, uuid, double precision);

ALTER INDEX jobs_rehearsals RENAME TO jobs_dry_runs;

CREATE TABLE schema_version (
    one_row     boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    revision    text NOT NULL,
    fingerprint text NOT NULL
);
DROP TABLE IF EXISTS alembic_version;                       -- held the revision until 0002
