-- Delete the groups of item errors of a dry run that is repeated. The trigger on chunks calls this function for each chunk whose
-- results are thrown away; the first call deletes all. A worker of a release without groups deletes only the errors.
CREATE OR REPLACE FUNCTION forget_errors() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM error_groups WHERE account_id = NEW.account_id AND job_id = NEW.job_id;
    RETURN NULL;
END
$$;
