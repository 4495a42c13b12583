-- Several small jobs are claimed, applied and ended together. The arguments of two functions change.

DROP FUNCTION IF EXISTS lock_next_chunk(integer, boolean);
DROP FUNCTION IF EXISTS lease_chunk(bigint, uuid, integer, integer, integer, uuid, bigint, double precision, integer);
