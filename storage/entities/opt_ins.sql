-- name: opt_in(account_id, contact_ids, channel_ids, override)
-- Opt contacts in to channels. An opt-out by the contact itself is kept unless `override`. Returns the contacts that
-- changed and the contacts with a kept opt-out. A contact that is already opted in is not written and not returned.
-- One look-up per pair: see ids_by_phone in upsert.sql. The condition on the channel is written so that no index can
-- serve it: without statistics the planner would choose the index of channels, and read all opt-ins of a channel.
WITH out AS MATERIALIZED (
    SELECT c.contact_id, h.channel_id, o.by_contact AND NOT :override::boolean AS kept
    FROM unnest(:contact_ids::text::bigint[]) c (contact_id)
    CROSS JOIN unnest(:channel_ids::uuid[]) h (channel_id)
    LEFT JOIN LATERAL (
        SELECT opted_in, by_contact FROM opt_ins
        WHERE account_id = :account_id AND contact_id BETWEEN c.contact_id AND c.contact_id
          AND (channel_id = h.channel_id) IS TRUE
        ORDER BY contact_id OFFSET 0
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
) affected
GROUP BY contact_id;

-- name: forget_contacts(account_id, contact_ids)!
-- Delete the opt-ins of contacts that the caller has locked, so that no transaction writes these rows at the same
-- time. One look-up per contact: see ids_by_phone in upsert.sql. The rows are found by their places alone: see
-- forget_contacts in memberships.sql.
DELETE FROM opt_ins
WHERE (account_id = :account_id) IS TRUE AND ctid = ANY (ARRAY(
    SELECT o.ctid
    FROM unnest(:contact_ids::text::bigint[]) w (contact_id)
    CROSS JOIN LATERAL (
        SELECT ctid FROM opt_ins
        WHERE account_id = :account_id AND contact_id BETWEEN w.contact_id AND w.contact_id ORDER BY contact_id OFFSET 0
    ) o
));

-- name: page(account_id, contact_id, after, size)
-- The opt-ins of a contact, ordered by channel id, after the given id (null: from the first).
SELECT o.*, c.name AS channel_name
FROM (
    SELECT * FROM opt_ins
    WHERE account_id = :account_id AND contact_id BETWEEN :contact_id AND :contact_id
      AND channel_id > COALESCE(:after::uuid, '00000000-0000-0000-0000-000000000000')
    ORDER BY contact_id, channel_id LIMIT :size
) o
CROSS JOIN LATERAL (
    SELECT name FROM channels WHERE account_id = :account_id AND id BETWEEN o.channel_id AND o.channel_id ORDER BY id OFFSET 0
) c
ORDER BY o.channel_id;

-- name: put(account_id, contact_id, channel_id, opted_in, by_contact)!
-- Record an opt-in or an opt-out. Nothing changes if the contact itself has opted out and `by_contact` is false.
INSERT INTO opt_ins AS o (account_id, contact_id, channel_id, opted_in, by_contact)
VALUES (:account_id, :contact_id, :channel_id, :opted_in, :by_contact)
ON CONFLICT (account_id, contact_id, channel_id) DO UPDATE SET
    opted_in = excluded.opted_in,
    by_contact = excluded.by_contact,
    updated_at = CASE WHEN (o.opted_in, o.by_contact) = (excluded.opted_in, excluded.by_contact)
        THEN o.updated_at ELSE now() END
WHERE excluded.by_contact OR o.opted_in OR NOT o.by_contact;

-- name: get(account_id, contact_id, channel_id)^
SELECT o.*, c.name AS channel_name
FROM (
    SELECT * FROM opt_ins
    WHERE account_id = :account_id AND contact_id BETWEEN :contact_id AND :contact_id AND channel_id = :channel_id
    ORDER BY contact_id OFFSET 0
) o
CROSS JOIN LATERAL (
    SELECT name FROM channels WHERE account_id = :account_id AND id BETWEEN o.channel_id AND o.channel_id ORDER BY id OFFSET 0
) c;
