-- The place of a job in its trace, which claims return. A function cannot change the columns that it returns: `migrate`
-- creates both again.
ALTER TABLE jobs ADD trace text;
DROP FUNCTION IF EXISTS claim_chunks(uuid, bigint[], double precision, integer, integer, boolean, integer, text[]);
DROP FUNCTION IF EXISTS lease_chunks(bigint[], uuid[], integer[], integer[], integer[], boolean[], bigint[], uuid, double precision, integer);
