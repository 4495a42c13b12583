-- name: add(account_id, kind, owner_id, contact_ids)
-- Returns the contacts that were not members.
INSERT INTO memberships (account_id, kind, owner_id, contact_id)
SELECT :account_id, :kind, :owner_id, c FROM unnest(:contact_ids::text::bigint[]) c ORDER BY c
ON CONFLICT DO NOTHING
RETURNING contact_id;

-- name: remove(account_id, kind, owner_id, contact_ids)
-- Returns the contacts that were members.
DELETE FROM memberships
WHERE account_id = :account_id AND kind = :kind AND owner_id = :owner_id
  AND contact_id = ANY (:contact_ids::text::bigint[])
RETURNING contact_id;

-- name: remove_unnamed(account_id, kind, owner_id, id)
-- Remove the members that the results of a job do not name. If they name no contact, nothing is removed. Nobody else
-- can have added a member meanwhile: only jobs add members of a list, and those jobs are one after the other in one
-- stream. Returns one row with the number of removed members.
WITH named AS MATERIALIZED (
    SELECT u.contact_id
    FROM outcomes o
    CROSS JOIN LATERAL unnest(o.contact_ids) u (contact_id)
    WHERE o.account_id = :account_id AND o.job_id = :id AND u.contact_id IS NOT NULL
), gone AS (
    DELETE FROM memberships m
    USING (
        SELECT ctid AS place, contact_id FROM memberships
        WHERE account_id = :account_id AND kind = :kind AND owner_id BETWEEN :owner_id AND :owner_id
        ORDER BY owner_id OFFSET 0
    ) o
    WHERE (m.account_id = :account_id) IS TRUE AND m.ctid = o.place
      AND EXISTS (SELECT FROM named)
      AND NOT EXISTS (SELECT FROM named n WHERE n.contact_id = o.contact_id)
    RETURNING 1
)
SELECT count(*)::int AS members FROM gone;

-- name: forget_owner(account_id, kind, owner_id)!
DELETE FROM memberships m
USING (
    SELECT ctid AS place FROM memberships
    WHERE account_id = :account_id AND kind = :kind AND owner_id BETWEEN :owner_id AND :owner_id
    ORDER BY owner_id OFFSET 0
) o
WHERE (m.account_id = :account_id) IS TRUE AND m.ctid = o.place;

-- name: forget_contacts(account_id, contact_ids)!
-- Remove all memberships of contacts that the caller has locked. One look-up per contact: see ids_by_phone in
-- upsert.sql. The outer condition on the account is written so that no index can serve it: without statistics the
-- planner would read all memberships of the account, in place of the rows at these places.
DELETE FROM memberships
WHERE (account_id = :account_id) IS TRUE AND ctid = ANY (ARRAY(
    SELECT m.ctid
    FROM unnest(:contact_ids::text::bigint[]) w (contact_id)
    CROSS JOIN LATERAL (
        SELECT ctid FROM memberships
        WHERE account_id = :account_id AND contact_id BETWEEN w.contact_id AND w.contact_id
        ORDER BY contact_id OFFSET 0
    ) m
));

-- name: page(account_id, kind, owner_id, after, size)
-- Members as contacts, ordered by id. One look-up per member: a plain join can read the whole of both tables.
SELECT c.*
FROM (
    SELECT contact_id FROM memberships
    WHERE account_id = :account_id AND kind = :kind AND owner_id BETWEEN :owner_id AND :owner_id AND contact_id > :after
    ORDER BY owner_id, contact_id LIMIT :size
) m
CROSS JOIN LATERAL (
    SELECT * FROM contacts WHERE account_id = :account_id AND id BETWEEN m.contact_id AND m.contact_id ORDER BY id OFFSET 0
) c
ORDER BY m.contact_id;
