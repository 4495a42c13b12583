-- Keys have scopes, may expire, and can be replaced by others; when they were used. Keys that exist keep all scopes.
ALTER TABLE api_keys
    ADD scopes text[] NOT NULL DEFAULT '{read,write,admin}' CHECK (scopes <@ '{read,write,admin}' AND scopes <> '{}'),
    ADD expires_at timestamptz,
    ADD last_used_at timestamptz,
    ADD replaced_by text;
DROP INDEX api_keys_name;
CREATE UNIQUE INDEX api_keys_name ON api_keys (account_id, name) WHERE revoked_at IS NULL AND replaced_by IS NULL AND name IS NOT NULL;
