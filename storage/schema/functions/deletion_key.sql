-- The advisory lock of a job that is being deleted. A retry of the job holds it in shared mode while it is accepted.
CREATE OR REPLACE FUNCTION deletion_key(job_id uuid) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT hashtextextended('deletion of ' || job_id, 0)
$$;
