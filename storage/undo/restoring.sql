-- The statements that give contacts back what they had. Links are memberships and opt-ins: `list:7`, `label:7`,
-- `audience:7`, `channel:<uuid>`. One look-up per contact: see ids_by_phone in entities/upsert.sql.

-- name: lock_current(account_id, ids, wanted, change)^
-- Lock contacts in the order of their phones, as in an upsert. Returns one row of arrays with an element for each contact
-- that exists: its id, place and times, and the fields whose bits are set in `wanted`, as text. If images are kept, what
-- follows is `change`: see keep_contacts.
WITH wanted AS (
    SELECT c.id, c.phone
    FROM unnest(:ids::text::bigint[]) w (id)
    CROSS JOIN LATERAL (
        SELECT id, phone FROM contacts WHERE account_id = :account_id AND id BETWEEN w.id AND w.id ORDER BY id OFFSET 0
    ) c
    ORDER BY c.phone
), locked AS (
    SELECT c.*
    FROM wanted w
    CROSS JOIN LATERAL (
        SELECT ctid AS place, * FROM contacts WHERE account_id = :account_id AND id BETWEEN w.id AND w.id
        ORDER BY id OFFSET 0 FOR UPDATE
    ) c
)
SELECT array_agg(id) AS ids, array_agg(place::text) AS places, array_agg(created_at) AS created_at,
    array_agg(updated_at) AS updated_at,
    set_config('bulklane.change', CASE WHEN current_setting('bulklane.change', true) <> '' THEN :change ELSE '' END, true),
    @columns@
FROM locked;

-- name: links(account_id, ids, every, named)
-- The memberships and opt-ins of contacts that the caller has locked: those in `named`, and all of a contact with `every`.
SELECT w.id, m.link, m.created_at::text AS value
FROM unnest(:ids::text::bigint[], :every::boolean[]) w (id, every)
CROSS JOIN LATERAL (
    SELECT kind || ':' || owner_id AS link, created_at FROM memberships
    WHERE account_id = :account_id AND contact_id BETWEEN w.id AND w.id ORDER BY contact_id OFFSET 0
) m
WHERE w.every OR m.link = ANY (:named::text::text[])
UNION ALL
SELECT w.id, o.link, opt_in_state(o.opted_in, o.by_contact, o.created_at)
FROM unnest(:ids::text::bigint[], :every::boolean[]) w (id, every)
CROSS JOIN LATERAL (
    SELECT 'channel:' || channel_id AS link, opted_in, by_contact, created_at FROM opt_ins
    WHERE account_id = :account_id AND contact_id BETWEEN w.id AND w.id ORDER BY contact_id OFFSET 0
) o
WHERE w.every OR o.link = ANY (:named::text::text[]);

-- name: lock_owners(account_id, lists, labels, audiences, teams)
-- Lock the lists, labels, audiences and teams that exist against deletion, after the contacts. Returns them as `list:7`,
-- and teams as `team:7`.
WITH lists AS MATERIALIZED (
    SELECT o.id FROM unnest(:lists::bigint[]) w (id) CROSS JOIN LATERAL (
        SELECT id FROM contact_lists WHERE account_id = :account_id AND id BETWEEN w.id AND w.id
        ORDER BY id OFFSET 0 FOR KEY SHARE) o
), labels_ AS MATERIALIZED (
    SELECT o.id FROM unnest(:labels::bigint[]) w (id) CROSS JOIN LATERAL (
        SELECT id FROM labels WHERE account_id = :account_id AND id BETWEEN w.id AND w.id
        ORDER BY id OFFSET 0 FOR KEY SHARE) o
), audiences_ AS MATERIALIZED (
    SELECT o.id FROM unnest(:audiences::bigint[]) w (id) CROSS JOIN LATERAL (
        SELECT id FROM audiences WHERE account_id = :account_id AND id BETWEEN w.id AND w.id
        ORDER BY id OFFSET 0 FOR KEY SHARE) o
), teams_ AS MATERIALIZED (
    SELECT o.id FROM unnest(:teams::bigint[]) w (id) CROSS JOIN LATERAL (
        SELECT id FROM teams WHERE account_id = :account_id AND id BETWEEN w.id AND w.id
        ORDER BY id OFFSET 0 FOR KEY SHARE) o
)
SELECT 'list:' || id AS owner FROM lists
UNION ALL SELECT 'label:' || id FROM labels_
UNION ALL SELECT 'audience:' || id FROM audiences_
UNION ALL SELECT 'team:' || id FROM teams_;

-- name: holders(account_id, phones, external_ids)
-- The contacts that have one of these phones or external ids.
SELECT 'phone' AS field, c.phone AS value, c.id
FROM unnest(:phones::text::text[]) w (phone)
CROSS JOIN LATERAL (
    SELECT id, phone FROM contacts WHERE account_id = :account_id AND phone BETWEEN w.phone AND w.phone
    ORDER BY phone OFFSET 0
) c
UNION ALL
SELECT 'external_id', c.external_id, c.id
FROM unnest(:external_ids::text::text[]) w (external_id)
CROSS JOIN LATERAL (
    SELECT id, external_id FROM contacts
    WHERE account_id = :account_id AND external_id BETWEEN w.external_id AND w.external_id
    ORDER BY external_id OFFSET 0
) c;

-- name: park_external_ids(account_id, ids)!
-- Free the external ids of locked contacts, so that contacts can exchange them: as `park` in entities/upsert.sql does phones.
UPDATE contacts SET external_id = NULL
WHERE (account_id = :account_id) IS TRUE AND ctid = ANY (ARRAY(
    SELECT c.ctid FROM unnest(:ids::text::bigint[]) w (id) CROSS JOIN LATERAL (
        SELECT ctid FROM contacts WHERE account_id = :account_id AND id BETWEEN w.id AND w.id ORDER BY id OFFSET 0) c));

-- name: put_back(account_id, rows)!
-- Store deleted contacts again, each under its id. `rows` is a JSON array of rows of contacts. Can violate
-- contacts_phone and contacts_external_id.
INSERT INTO contacts (account_id, id, created_at, @names@)
OVERRIDING SYSTEM VALUE
SELECT :account_id, n.id, n.created_at, @inserted@
FROM jsonb_populate_recordset(NULL::contacts, :rows::jsonb) n
ORDER BY n.phone;

-- name: keep_return(account_id, id, ids)!
-- Keep an image of contacts that have come back, with their rows and the updated_at that `put_back` gave them.
INSERT INTO before_images (account_id, job_id, field, at, contact_ids, old_json, new_json)
SELECT :account_id, :id, 'contact', now(), array_agg(c.id), array_agg(NULL::jsonb), array_agg(c.new)
FROM unnest(:ids::text::bigint[]) w (id)
CROSS JOIN LATERAL (
    SELECT id, to_jsonb(contacts) AS new FROM contacts WHERE account_id = :account_id AND id BETWEEN w.id AND w.id
    ORDER BY id OFFSET 0
) c
HAVING current_setting('bulklane.change', true) <> '';

-- name: set_fields(account_id, ids, masks, @names@)!
-- Give locked contacts these values, as text: to each contact those whose bits are set in its mask. Can violate what
-- `contacts.change` can.
UPDATE contacts c SET
    @set@,
    updated_at = statement_timestamp()
FROM (
    SELECT r.*, l.place
    FROM unnest(:ids::text::bigint[], :masks::text::int[],
        @parameters@)
        r (id, mask, @names@)
    CROSS JOIN LATERAL (
        SELECT ctid AS place FROM contacts WHERE account_id = :account_id AND id BETWEEN r.id AND r.id
        ORDER BY id OFFSET 0
    ) l
) w
WHERE (c.account_id = :account_id) IS TRUE AND c.ctid = w.place;

-- name: remove_members(account_id, kinds, owners, contacts)$
-- Remove memberships of locked contacts. Returns their number.
WITH removed AS (
    DELETE FROM memberships
    WHERE (account_id = :account_id) IS TRUE AND ctid = ANY (ARRAY(
        SELECT m.ctid
        FROM unnest(:kinds::text[], :owners::text::bigint[], :contacts::text::bigint[]) w (kind, owner_id, contact_id)
        CROSS JOIN LATERAL (
            SELECT ctid FROM memberships
            WHERE account_id = :account_id AND contact_id BETWEEN w.contact_id AND w.contact_id
              AND (kind = w.kind AND owner_id = w.owner_id) IS TRUE
            ORDER BY contact_id OFFSET 0
        ) m
    ))
    RETURNING 1
)
SELECT count(*)::int FROM removed;

-- name: add_members(account_id, kinds, owners, contacts, times)$
-- Make locked contacts members of locked owners again, since when they were. Returns the number of new memberships.
WITH added AS (
    INSERT INTO memberships (account_id, kind, owner_id, contact_id, created_at)
    SELECT :account_id, w.*
    FROM unnest(:kinds::text[], :owners::text::bigint[], :contacts::text::bigint[], :times::text::timestamptz[])
        w (kind, owner_id, contact_id, created_at)
    ORDER BY w.kind, w.owner_id, w.contact_id
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT count(*)::int FROM added;

-- name: remove_opt_ins(account_id, contacts, channels)!
DELETE FROM opt_ins
WHERE (account_id = :account_id) IS TRUE AND ctid = ANY (ARRAY(
    SELECT o.ctid
    FROM unnest(:contacts::text::bigint[], :channels::text::uuid[]) w (contact_id, channel_id)
    CROSS JOIN LATERAL (
        SELECT ctid FROM opt_ins
        WHERE account_id = :account_id AND contact_id BETWEEN w.contact_id AND w.contact_id
          AND (channel_id = w.channel_id) IS TRUE
        ORDER BY contact_id OFFSET 0
    ) o
));

-- name: put_opt_ins(account_id, contacts, channels, opted_in, by_contact, times)!
-- Store opt-ins and opt-outs of locked contacts and channels.
INSERT INTO opt_ins (account_id, contact_id, channel_id, opted_in, by_contact, created_at)
SELECT :account_id, w.*
FROM unnest(:contacts::text::bigint[], :channels::text::uuid[], :opted_in::boolean[], :by_contact::boolean[],
            :times::text::timestamptz[]) w (contact_id, channel_id, opted_in, by_contact, created_at)
ORDER BY w.contact_id, w.channel_id
ON CONFLICT (account_id, contact_id, channel_id) DO UPDATE
    SET opted_in = excluded.opted_in, by_contact = excluded.by_contact, created_at = excluded.created_at, updated_at = now();
