-- The item errors of a job by code and field, the largest group first in `place`. The groups after the first @max_groups@
-- are one group without a code. `examples` are the smallest indexes of a group: they are in the rows with the smallest
-- first indexes, because an index in another row is greater than all of these.
CREATE OR REPLACE FUNCTION summarise_errors(p_account_id bigint, p_job_id uuid)
RETURNS TABLE (place bigint, first_index integer, code text, field text, errors bigint, examples integer[])
LANGUAGE sql STABLE AS $$
WITH numbered AS (
    SELECT g.first_index, g.code, g.field, g.errors,
        row_number() OVER (PARTITION BY g.code, g.field ORDER BY g.first_index) AS n
    FROM error_groups g WHERE g.account_id = p_account_id AND g.job_id = p_job_id
), grouped AS (
    SELECT n.code, n.field, sum(n.errors)::bigint AS errors, min(n.first_index) AS first_index,
        array_agg(n.first_index) FILTER (WHERE n.n <= @examples@) AS firsts
    FROM numbered n GROUP BY n.code, n.field
), ranked AS (
    SELECT g.*, row_number() OVER (ORDER BY g.code IS NULL, g.errors DESC, g.first_index) AS place FROM grouped g
)
SELECT r.place, r.first_index, r.code, r.field, r.errors, ARRAY(
    SELECT x FROM error_groups g CROSS JOIN LATERAL unnest(g.examples) x
    WHERE g.account_id = p_account_id AND g.job_id = p_job_id AND g.first_index = ANY (r.firsts)
      AND g.code = r.code AND g.field IS NOT DISTINCT FROM r.field
    ORDER BY x LIMIT @examples@)
FROM ranked r WHERE r.place <= @max_groups@
UNION ALL
SELECT @max_groups@ + 1, min(r.first_index), NULL, NULL, sum(r.errors)::bigint, '{}'
FROM ranked r WHERE r.place > @max_groups@ HAVING count(*) > 0
$$;
