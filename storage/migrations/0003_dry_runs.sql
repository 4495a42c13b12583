-- Dry runs have one name, the functions take their numbers as arguments, and one row holds the version.
--
-- Workers of the previous release may run for some seconds after this migration. Those of their queries that name
-- a view or a function which is dropped here (to claim a chunk, to take a dry run, to begin to finish a job) fail
-- with undefined_table or undefined_function. Such a query writes nothing, and the failure counts against no chunk:
-- the workers repeat it until they are stopped, and the workers of this release take the work over. Chunks in
-- flight are recorded and uploads are accepted as usual, since neither uses a view or a function.

-- The views first: a claim locks `claimable` before it locks a turn, so it holds no turn while it waits for us.
DROP VIEW claimable, rehearsable, rehearsing;
DROP FUNCTION lock_next_chunk();
DROP FUNCTION lease_chunk(bigint, uuid, integer, integer, integer, timestamptz, uuid, double precision);

ALTER INDEX jobs_rehearsals RENAME TO jobs_dry_runs;

CREATE TABLE schema_version (
    one_row     boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    revision    text NOT NULL,
    fingerprint text NOT NULL
);
DROP TABLE IF EXISTS alembic_version;                       -- the revision's place until 0002
