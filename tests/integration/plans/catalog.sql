-- Let a session read of the catalog what the statements of the test need: all tables and indexes, and the plans of the triggers
-- of contacts, memberships, opt-ins and ended jobs, whose effects are taken back. Otherwise the first statement that needs them
-- would count as the one that reads so much, and which one that is depends on the connection that a step gets.
DO $$ DECLARE t text; BEGIN
    FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('SELECT FROM %I LIMIT 0', t);
    END LOOP;
END $$;

BEGIN;
SET LOCAL bulklane.change = '@change@';

INSERT INTO contacts (account_id, phone) VALUES (@account@, '+12');
INSERT INTO memberships (account_id, kind, owner_id, contact_id)
SELECT @account@, m.kind, m.owner_id, c.id
FROM contacts c, (VALUES ('list', @list@), ('label', @label@), ('audience', @audience@)) m (kind, owner_id)
WHERE c.account_id = @account@ AND c.phone = '+12';
INSERT INTO opt_ins (account_id, contact_id, channel_id, opted_in, by_contact)
SELECT @account@, id, '@channel@', true, false FROM contacts WHERE account_id = @account@ AND phone = '+12';

UPDATE opt_ins SET opted_in = false
WHERE account_id = @account@ AND contact_id = (SELECT id FROM contacts WHERE account_id = @account@ AND phone = '+12');
UPDATE contacts SET name = 'x' WHERE account_id = @account@ AND phone = '+12';

DELETE FROM memberships
WHERE account_id = @account@ AND contact_id = (SELECT id FROM contacts WHERE account_id = @account@ AND phone = '+12');
DELETE FROM opt_ins
WHERE account_id = @account@ AND contact_id = (SELECT id FROM contacts WHERE account_id = @account@ AND phone = '+12');
DELETE FROM contacts WHERE account_id = @account@ AND phone = '+12';

INSERT INTO jobs (account_id, id, operation, stream, state, format, parallel, request_id)
VALUES (@account@, '00000000-0000-0000-0000-000000000001', 'contacts.upsert', 'contacts', 'running', 'ndjson', 1, 'first');
UPDATE jobs SET state = 'completed', finished_at = now()
WHERE account_id = @account@ AND id = '00000000-0000-0000-0000-000000000001';
DELETE FROM jobs WHERE account_id = @account@ AND id = '00000000-0000-0000-0000-000000000001';
ROLLBACK;
