-- The port of the metrics of a worker, and how long a job had waited when it was claimed first. A function cannot change
-- the columns that it returns: `migrate` creates both again.
ALTER TABLE workers ADD metrics_port integer;
DROP FUNCTION IF EXISTS claim_chunks(uuid, bigint[], double precision, integer, integer, boolean, integer, text[]);
DROP FUNCTION IF EXISTS lease_chunks(bigint[], uuid[], integer[], integer[], integer[], boolean[], bigint[], uuid, double precision, integer);
