-- Keep the contacts that a statement deleted, or inserted by a single change. The triggers call this function once per statement:
-- `whole` holds the contacts. The contacts that a job creates are not kept, because its results name them. See
-- keep_changed_contacts.
CREATE OR REPLACE FUNCTION keep_whole_contacts() RETURNS trigger LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    change text := COALESCE(current_setting('bulklane.change', true), '');
BEGIN
    IF change LIKE '{%' THEN
        INSERT INTO single_changes (account_id, contact_id, caller, field, old, new)
        SELECT account_id, id, change::jsonb, 'contact',
            CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(w) END, CASE WHEN TG_OP = 'INSERT' THEN to_jsonb(w) END
        FROM whole w;
    ELSIF change <> '' AND TG_OP = 'DELETE' THEN
        INSERT INTO before_images (account_id, job_id, field, contact_ids, old_json)
        SELECT account_id, change::uuid, 'contact', array_agg(id), array_agg(old) FROM (
            SELECT account_id, id, old, @block@ AS block
            FROM (SELECT account_id, id, to_jsonb(w) AS old FROM whole w) w
        ) c GROUP BY account_id, block;
    END IF;
    RETURN NULL;
END
$$;
