-- Maintain contact_count of lists, labels and audiences. The triggers on memberships call this function once per
-- statement. `changed` holds the rows that the statement inserted or deleted.
CREATE OR REPLACE FUNCTION count_members() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sign integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    UPDATE contact_lists o SET contact_count = o.contact_count + sign * n.members
    FROM (
        SELECT account_id, owner_id, count(*)::int AS members FROM changed
        WHERE kind = 'list' GROUP BY account_id, owner_id
    ) n
    WHERE o.account_id = n.account_id AND o.id = n.owner_id;
    UPDATE labels o SET contact_count = o.contact_count + sign * n.members
    FROM (
        SELECT account_id, owner_id, count(*)::int AS members FROM changed
        WHERE kind = 'label' GROUP BY account_id, owner_id
    ) n
    WHERE o.account_id = n.account_id AND o.id = n.owner_id;
    UPDATE audiences o SET contact_count = o.contact_count + sign * n.members
    FROM (
        SELECT account_id, owner_id, count(*)::int AS members FROM changed
        WHERE kind = 'audience' GROUP BY account_id, owner_id
    ) n
    WHERE o.account_id = n.account_id AND o.id = n.owner_id;
    RETURN NULL;
END
$$;
