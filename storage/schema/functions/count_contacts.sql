-- Maintain contact_counts. The triggers on contacts call this function once per statement. `changed` holds the rows that
-- the statement inserted or deleted. The change is added to any row of the account that no other transaction has locked,
-- or to a new row, so no transaction waits for another one.
CREATE OR REPLACE FUNCTION count_contacts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sign integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
    n record;
    free integer;
BEGIN
    FOR n IN SELECT account_id, count(*) AS contacts FROM changed GROUP BY account_id LOOP
        SELECT slot INTO free FROM contact_counts WHERE account_id = n.account_id LIMIT 1 FOR UPDATE SKIP LOCKED;
        IF found THEN
            UPDATE contact_counts SET contacts = contacts + sign * n.contacts
            WHERE account_id = n.account_id AND slot = free;
        ELSE
            INSERT INTO contact_counts (account_id, contacts) VALUES (n.account_id, sign * n.contacts);
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
