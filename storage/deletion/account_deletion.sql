-- name: begin(id)^
-- Mark an account as being deleted. At once, its keys are revoked, and no worker claims a chunk of it, because a claim begins
-- with the turn. A repetition changes nothing. No row: no such account.
WITH account AS (
    UPDATE accounts SET deleting_at = COALESCE(deleting_at, now()) WHERE id = :id RETURNING *
), keys AS (
    UPDATE api_keys SET revoked_at = now() WHERE account_id = :id AND revoked_at IS NULL
), turn AS (
    DELETE FROM account_turns WHERE account_id = :id
)
SELECT * FROM account;

-- name: marked()
-- The accounts that are being deleted.
SELECT id FROM accounts WHERE deleting_at IS NOT NULL ORDER BY id;

-- name: finish(id)$
-- Delete the account itself, of which no other row is left, and note its id for `deleted`. Returns whether it is gone: it is not
-- while somebody has locked it, who may be storing a key of it.
WITH free AS MATERIALIZED (
    SELECT id FROM accounts WHERE id = :id AND deleting_at IS NOT NULL FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM accounts a USING free WHERE a.id = free.id RETURNING a.id
), noted AS (
    INSERT INTO deleted_accounts (account_id) SELECT id FROM gone ON CONFLICT DO NOTHING
)
SELECT EXISTS (SELECT FROM gone) OR NOT EXISTS (SELECT FROM accounts WHERE id = :id);

-- name: deleted()
-- The accounts that were deleted not long ago.
SELECT account_id FROM deleted_accounts ORDER BY account_id;

-- name: forget(hours)!
-- Forget the accounts that were deleted so long ago that no request of them can be in progress.
DELETE FROM deleted_accounts WHERE deleted_at < now() - make_interval(hours => :hours);
