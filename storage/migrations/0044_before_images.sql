-- What changed contacts, so that jobs can be undone, and for the history of contacts. Triggers keep it; workers and apis of the
-- previous release do not say who changes, so nothing is kept of their changes.

CREATE TABLE before_images (
    account_id  bigint NOT NULL,
    job_id      uuid NOT NULL,
    number      bigint NOT NULL DEFAULT nextval('applications'),
    field       text COLLATE "C" NOT NULL,
    at          timestamptz NOT NULL DEFAULT statement_timestamp(),
    contact_ids bigint[] NOT NULL,
    old         text[],
    new         text[],
    old_json    jsonb[],
    new_json    jsonb[],
    PRIMARY KEY (account_id, job_id, number)
);
ALTER TABLE before_images ALTER contact_ids SET STORAGE EXTERNAL;
CREATE INDEX before_images_at ON before_images (at, number);

CREATE TABLE single_changes (
    account_id bigint NOT NULL,
    contact_id bigint NOT NULL,
    number     bigint NOT NULL DEFAULT nextval('applications'),
    field      text COLLATE "C" NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    caller     jsonb NOT NULL,
    old        jsonb,
    new        jsonb,
    PRIMARY KEY (account_id, contact_id, number)
);
CREATE INDEX single_changes_at ON single_changes (at, number);

CREATE FUNCTION keep_changed_contacts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;  -- `migrate` replaces it before the commit
END
$$;
CREATE FUNCTION keep_changed_opt_ins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;  -- `migrate` replaces it before the commit
END
$$;
CREATE FUNCTION keep_memberships() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;  -- `migrate` replaces it before the commit
END
$$;
CREATE FUNCTION keep_opt_ins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;  -- `migrate` replaces it before the commit
END
$$;
CREATE FUNCTION keep_whole_contacts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;  -- `migrate` replaces it before the commit
END
$$;
CREATE TRIGGER contacts_added_singly AFTER INSERT ON contacts REFERENCING NEW TABLE AS whole
    FOR EACH STATEMENT WHEN (current_setting('bulklane.change', true) LIKE '{%') EXECUTE FUNCTION keep_whole_contacts();
CREATE TRIGGER contacts_changed AFTER UPDATE ON contacts REFERENCING OLD TABLE AS gone NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION keep_changed_contacts();
CREATE TRIGGER contacts_deleted AFTER DELETE ON contacts REFERENCING OLD TABLE AS whole
    FOR EACH STATEMENT EXECUTE FUNCTION keep_whole_contacts();
CREATE TRIGGER memberships_kept_added AFTER INSERT ON memberships REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION keep_memberships();
CREATE TRIGGER memberships_kept_removed AFTER DELETE ON memberships REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION keep_memberships();
CREATE TRIGGER opt_ins_added AFTER INSERT ON opt_ins REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION keep_opt_ins();
CREATE TRIGGER opt_ins_changed AFTER UPDATE ON opt_ins REFERENCING OLD TABLE AS gone NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION keep_changed_opt_ins();
CREATE TRIGGER opt_ins_removed AFTER DELETE ON opt_ins REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION keep_opt_ins();
