-- The rows of job_history that a job has: the pairs of one of its tags, or '', and its name, or ''.
CREATE OR REPLACE FUNCTION job_facets(p_tags text[], p_name text) RETURNS TABLE (tag text, name text)
LANGUAGE sql IMMUTABLE AS $$ -- sql, because the planner then replaces the call by the query
    SELECT t.tag, n.name FROM unnest(array_prepend('', p_tags)) t (tag) CROSS JOIN unnest(ARRAY['', p_name]) n (name)
    WHERE n.name IS NOT NULL
$$;
