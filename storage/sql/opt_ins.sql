-- name: lock_channels(account_id, ids)
-- The channels of these ids that there are, locked: whoever deletes one waits.
SELECT id FROM channels
WHERE account_id = :account_id AND id = ANY (:ids::uuid[])
ORDER BY id FOR KEY SHARE;

-- name: opt_in(account_id, contact_ids, channel_ids, override)
-- Opt contacts in to channels. An opt-out of the contact's own is kept, unless `override`. Returns the contacts
-- for whom that has changed anything, and those for whom an opt-out was kept; whoever is in already is not
-- written and not returned. A look-up a pair: see ids_by_phone in contacts.sql.
WITH out AS MATERIALIZED (
    SELECT c.contact_id, h.channel_id, o.by_contact AND NOT :override::boolean AS kept
    FROM unnest(:contact_ids::bigint[]) c (contact_id)
    CROSS JOIN unnest(:channel_ids::uuid[]) h (channel_id)
    LEFT JOIN LATERAL (
        SELECT opted_in, by_contact FROM opt_ins
        WHERE account_id = :account_id AND contact_id = c.contact_id AND channel_id = h.channel_id
        OFFSET 0
    ) o ON true
    WHERE o.opted_in IS NOT TRUE
), written AS (
    INSERT INTO opt_ins AS o (account_id, contact_id, channel_id, opted_in, by_contact)
    SELECT :account_id, contact_id, channel_id, true, false
    FROM out WHERE kept IS NOT TRUE
    ORDER BY contact_id, channel_id
    ON CONFLICT (account_id, contact_id, channel_id) DO UPDATE
        SET opted_in = true, by_contact = false, updated_at = now()
        WHERE NOT o.opted_in AND (:override OR NOT o.by_contact)
    RETURNING contact_id
)
SELECT contact_id, bool_or(changed) AS changed, bool_or(kept) AS kept
FROM (
    SELECT contact_id, true AS changed, false AS kept FROM written
    UNION ALL
    SELECT contact_id, false, true FROM out WHERE kept
) told
GROUP BY contact_id;

-- name: forget_contacts(account_id, contact_ids)!
-- Of contacts that the caller has locked, so that nobody writes these rows meanwhile. A look-up a contact.
DELETE FROM opt_ins
WHERE account_id = :account_id AND ctid = ANY (ARRAY(
    SELECT o.ctid
    FROM unnest(:contact_ids::bigint[]) w (contact_id)
    CROSS JOIN LATERAL (
        SELECT ctid FROM opt_ins WHERE account_id = :account_id AND contact_id = w.contact_id OFFSET 0
    ) o
));
