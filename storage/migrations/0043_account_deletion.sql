-- Accounts that are being deleted, and those that were: see storage/deletion.
ALTER TABLE accounts ADD deleting_at timestamptz;
CREATE INDEX accounts_deleting ON accounts (id) WHERE deleting_at IS NOT NULL;
CREATE TABLE deleted_accounts (
    account_id bigint PRIMARY KEY,
    deleted_at timestamptz NOT NULL DEFAULT now()
);
