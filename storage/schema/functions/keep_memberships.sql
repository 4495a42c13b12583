-- Keep the memberships that a statement added or removed, as images of the fields list:ID, label:ID and audience:ID: the time of
-- the membership, null without one. The triggers call this function once per statement: `changed` holds the rows. It may be
-- millions, so they are sorted on disk, not collected. See keep_changed_contacts.
CREATE OR REPLACE FUNCTION keep_memberships() RETURNS trigger LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    change text := COALESCE(current_setting('bulklane.change', true), '');
    added  boolean := TG_OP = 'INSERT';
BEGIN
    IF change = '' THEN
        RETURN NULL;
    ELSIF change LIKE '{%' THEN
        INSERT INTO single_changes (account_id, contact_id, caller, field, old, new)
        SELECT account_id, contact_id, change::jsonb,
            kind || ':' || owner_id,
            CASE WHEN NOT added THEN to_jsonb(created_at) END, CASE WHEN added THEN to_jsonb(created_at) END
        FROM changed;
    ELSE
        INSERT INTO before_images (account_id, job_id, field, contact_ids, old, new)
        SELECT account_id, change::uuid, kind || ':' || owner_id, array_agg(contact_id),
            array_agg(CASE WHEN NOT added THEN created_at::text END), array_agg(CASE WHEN added THEN created_at::text END)
        FROM (
            SELECT account_id, kind, owner_id, contact_id, created_at, @block@ AS block FROM changed
        ) c GROUP BY account_id, kind, owner_id, block;
    END IF;
    RETURN NULL;
END
$$;
