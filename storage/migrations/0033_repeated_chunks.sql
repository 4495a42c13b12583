-- Forget the groups of item errors when a dry run is repeated, also by a worker of a release that does not know them.
CREATE FUNCTION forget_errors() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;  -- `migrate` replaces it before the commit
END
$$;
CREATE TRIGGER chunks_repeated AFTER UPDATE ON chunks
    FOR EACH ROW WHEN (OLD.state = 'done' AND NEW.state = 'ready') EXECUTE FUNCTION forget_errors();
