-- name: labels(account_id, contact_id, after, size)
-- The labels that a contact carries, by id, after the given one. Found by the contact, whatever the planner
-- believes of the table: hence OFFSET 0.
SELECT o.*
FROM (SELECT * FROM memberships WHERE account_id = :account_id AND contact_id = :contact_id OFFSET 0) m
JOIN labels o ON o.account_id = m.account_id AND o.id = m.owner_id
WHERE m.kind = 'label' AND m.owner_id > :after
ORDER BY m.owner_id LIMIT :size;

-- name: lists(account_id, contact_id, after, size)
-- The same of the contact lists that it is in.
SELECT o.*
FROM (SELECT * FROM memberships WHERE account_id = :account_id AND contact_id = :contact_id OFFSET 0) m
JOIN contact_lists o ON o.account_id = m.account_id AND o.id = m.owner_id
WHERE m.kind = 'list' AND m.owner_id > :after
ORDER BY m.owner_id LIMIT :size;

-- name: audiences(account_id, contact_id, after, size)
-- The same of the audiences that it belongs to.
SELECT o.*
FROM (SELECT * FROM memberships WHERE account_id = :account_id AND contact_id = :contact_id OFFSET 0) m
JOIN audiences o ON o.account_id = m.account_id AND o.id = m.owner_id
WHERE m.kind = 'audience' AND m.owner_id > :after
ORDER BY m.owner_id LIMIT :size;

-- name: opt_ins(account_id, contact_id, after, size)
-- What is known of a contact and channels, by the channel's id, after the given one (null: from the first).
SELECT o.*, c.name AS channel_name
FROM opt_ins o
JOIN channels c ON c.account_id = o.account_id AND c.id = o.channel_id
WHERE o.account_id = :account_id AND o.contact_id = :contact_id
  AND (:after::uuid IS NULL OR o.channel_id > :after)
ORDER BY o.channel_id LIMIT :size;

-- name: keep_contact(account_id, id)$
-- It cannot be deleted until this transaction ends. Null: no such contact.
SELECT id FROM contacts WHERE account_id = :account_id AND id = :id FOR KEY SHARE;

-- name: keep_team(account_id, id)$
-- The same of a team.
SELECT id FROM teams WHERE account_id = :account_id AND id = :id FOR KEY SHARE;

-- name: keep_channel(account_id, id)$
-- The same of a channel; its name.
SELECT name FROM channels WHERE account_id = :account_id AND id = :id FOR KEY SHARE;

-- name: opt(account_id, contact_id, channel_id, opted_in, by_contact)^
-- Write what was said of a channel. No row: the contact has opted out itself, and this is not by the contact.
INSERT INTO opt_ins AS o (account_id, contact_id, channel_id, opted_in, by_contact)
VALUES (:account_id, :contact_id, :channel_id, :opted_in, :by_contact)
ON CONFLICT (account_id, contact_id, channel_id) DO UPDATE SET
    opted_in = excluded.opted_in,
    by_contact = excluded.by_contact,
    updated_at = CASE WHEN (o.opted_in, o.by_contact) = (excluded.opted_in, excluded.by_contact)
        THEN o.updated_at ELSE now() END
WHERE excluded.by_contact OR o.opted_in OR NOT o.by_contact
RETURNING o.*;

-- name: opt_in(account_id, contact_id, channel_id)^
SELECT * FROM opt_ins WHERE account_id = :account_id AND contact_id = :contact_id AND channel_id = :channel_id;
