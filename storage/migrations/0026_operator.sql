-- What the operator's API shows: keys with names, accounts by name, the jobs of all accounts, the workers and their chunks.

ALTER TABLE api_keys ADD name text CHECK (name <> '');
CREATE UNIQUE INDEX api_keys_name ON api_keys (account_id, name) WHERE revoked_at IS NULL AND name IS NOT NULL;
CREATE INDEX accounts_sorted ON accounts ((lower(name) COLLATE "C"), id);
CREATE INDEX jobs_sorted ON jobs (state, operation, id) WHERE parallel > 0;
ALTER TABLE chunks ADD claimed_at timestamptz;

CREATE TABLE workers (
    id         uuid PRIMARY KEY,
    host       text NOT NULL,
    pid        integer NOT NULL,
    version    text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL
) WITH (fillfactor = 50);
