-- Keep the opt-ins that a statement added or removed, as images of the field channel:ID: see opt_in_state; null without one.
-- The triggers call this function once per statement: `changed` holds the rows. See keep_changed_contacts.
CREATE OR REPLACE FUNCTION keep_opt_ins() RETURNS trigger LANGUAGE plpgsql AS $$
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
            'channel:' || channel_id, CASE WHEN NOT added THEN to_jsonb(state) END, CASE WHEN added THEN to_jsonb(state) END
        FROM (
            SELECT account_id, contact_id, channel_id, opt_in_state(opted_in, by_contact, created_at) AS state FROM changed
        ) c;
    ELSE
        INSERT INTO before_images (account_id, job_id, field, contact_ids, old, new)
        SELECT account_id, change::uuid, 'channel:' || channel_id, array_agg(contact_id),
            array_agg(CASE WHEN NOT added THEN state END), array_agg(CASE WHEN added THEN state END)
        FROM (
            SELECT account_id, contact_id, channel_id, opt_in_state(opted_in, by_contact, created_at) AS state,
                @block@ AS block
            FROM changed
        ) c GROUP BY account_id, channel_id, block;
    END IF;
    RETURN NULL;
END
$$;
