-- Call every trigger on contacts, memberships and opt-ins, and take all of it back. The first call of a trigger in a session reads
-- the catalog to plan it, which counts as read by the statement that called it.
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
ROLLBACK;
