-- Maintain contact_count of lists, labels and audiences. The triggers on memberships call this function once per
-- statement. `changed` holds the rows that the statement inserted or deleted. An owner is locked, then changed at its place,
-- because an UPDATE by its key may read all owners of the account, if it was planned while the table was empty.
CREATE OR REPLACE FUNCTION count_members() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sign integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
    n record;
    place tid;
BEGIN
    FOR n IN
        SELECT account_id, kind, owner_id, count(*)::int AS members FROM changed
        GROUP BY account_id, kind, owner_id ORDER BY account_id, kind, owner_id
    LOOP
        CASE n.kind
        WHEN 'list' THEN
            SELECT ctid INTO place FROM contact_lists
            WHERE account_id = n.account_id AND id BETWEEN n.owner_id AND n.owner_id ORDER BY id FOR NO KEY UPDATE;
            UPDATE contact_lists SET contact_count = contact_count + sign * n.members WHERE ctid = place;
        WHEN 'label' THEN
            SELECT ctid INTO place FROM labels
            WHERE account_id = n.account_id AND id BETWEEN n.owner_id AND n.owner_id ORDER BY id FOR NO KEY UPDATE;
            UPDATE labels SET contact_count = contact_count + sign * n.members WHERE ctid = place;
        WHEN 'audience' THEN
            SELECT ctid INTO place FROM audiences
            WHERE account_id = n.account_id AND id BETWEEN n.owner_id AND n.owner_id ORDER BY id FOR NO KEY UPDATE;
            UPDATE audiences SET contact_count = contact_count + sign * n.members WHERE ctid = place;
        END CASE;
    END LOOP;
    RETURN NULL;
END
$$;
