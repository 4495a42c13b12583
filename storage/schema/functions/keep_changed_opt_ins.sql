-- Keep the opt-ins that an UPDATE changed, as keep_opt_ins. `gone` holds the rows before, `changed` those after.
CREATE OR REPLACE FUNCTION keep_changed_opt_ins() RETURNS trigger LANGUAGE plpgsql
SET enable_hashjoin = on SET enable_nestloop = off AS $$
#variable_conflict use_column
DECLARE
    change text := COALESCE(current_setting('bulklane.change', true), '');
BEGIN
    IF change = '' THEN
        RETURN NULL;
    ELSIF change LIKE '{%' THEN
        INSERT INTO single_changes (account_id, contact_id, caller, field, old, new)
        SELECT n.account_id, n.contact_id, change::jsonb,
            'channel:' || n.channel_id, to_jsonb(opt_in_state(o.opted_in, o.by_contact, o.created_at)),
            to_jsonb(opt_in_state(n.opted_in, n.by_contact, n.created_at))
        FROM gone o JOIN changed n USING (account_id, contact_id, channel_id)
        WHERE (o.opted_in, o.by_contact) IS DISTINCT FROM (n.opted_in, n.by_contact);
    ELSE
        INSERT INTO before_images (account_id, job_id, field, contact_ids, old, new)
        SELECT account_id, change::uuid, 'channel:' || channel_id, array_agg(contact_id), array_agg(old), array_agg(new)
        FROM (
            SELECT account_id, contact_id, channel_id, opt_in_state(o.opted_in, o.by_contact, o.created_at) AS old,
                opt_in_state(n.opted_in, n.by_contact, n.created_at) AS new, @block@ AS block
            FROM gone o JOIN changed n USING (account_id, contact_id, channel_id)
            WHERE (o.opted_in, o.by_contact) IS DISTINCT FROM (n.opted_in, n.by_contact)
        ) c GROUP BY account_id, channel_id, block;
    END IF;
    RETURN NULL;
END
$$;
