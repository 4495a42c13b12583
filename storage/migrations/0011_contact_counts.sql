-- Keep the number of contacts of each account, so that a page of contacts need not count them. The triggers also count
-- what workers and apis of the previous release do. CREATE TRIGGER locks out writers until the commit, so the first
-- counts are exact.

CREATE TABLE contact_counts (
    account_id bigint NOT NULL,
    slot       integer GENERATED ALWAYS AS IDENTITY,
    contacts   bigint NOT NULL,
    PRIMARY KEY (account_id, slot)
) WITH (fillfactor = 50);

CREATE FUNCTION count_contacts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;  -- `migrate` replaces it before the commit
END
$$;
CREATE TRIGGER contacts_added AFTER INSERT ON contacts REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_contacts();
CREATE TRIGGER contacts_removed AFTER DELETE ON contacts REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_contacts();

INSERT INTO contact_counts (account_id, contacts) SELECT account_id, count(*) FROM contacts GROUP BY account_id;
