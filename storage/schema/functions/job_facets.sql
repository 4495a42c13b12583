-- The rows of job_history that a job has: the pairs of one of its tags, or '', and its name, or '', each with the state of the
-- job, and again with the state after '@retryable@' if it can be retried.
CREATE OR REPLACE FUNCTION job_facets(p_tags text[], p_name text, p_state text, p_retryable boolean)
RETURNS TABLE (tag text, name text, state text)
LANGUAGE sql IMMUTABLE AS $$ -- sql, because the planner then replaces the call by the query
    SELECT t.tag, n.name, s.state
    FROM unnest(array_prepend('', p_tags)) t (tag)
    CROSS JOIN unnest(ARRAY['', p_name]) n (name)
    CROSS JOIN unnest(ARRAY[p_state, CASE WHEN p_retryable THEN '@retryable@' || p_state END]) s (state)
    WHERE n.name IS NOT NULL AND s.state IS NOT NULL
$$;
