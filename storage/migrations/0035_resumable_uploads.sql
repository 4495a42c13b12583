-- Uploads that arrive in several requests: their bytes wait as pieces until the last one is there.

CREATE TABLE resumable_uploads (
    account_id      bigint NOT NULL,
    id              uuid NOT NULL,
    operation       text NOT NULL,
    query           text NOT NULL,
    headers         jsonb NOT NULL,
    length          bigint CHECK (length >= 0),
    arrived         bigint NOT NULL DEFAULT 0,
    complete        boolean NOT NULL DEFAULT false,
    token           bigint NOT NULL,
    job_id          uuid,
    refusal         jsonb,
    finished_at     timestamptz,
    idempotency_key text COLLATE "C",
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,
    has_pieces      boolean NOT NULL DEFAULT true,
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX resumable_uploads_key ON resumable_uploads (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX resumable_uploads_unfinished ON resumable_uploads (account_id, id) WHERE finished_at IS NULL;
CREATE INDEX resumable_uploads_removable ON resumable_uploads (LEAST(finished_at, expires_at)) WHERE has_pieces;
CREATE INDEX resumable_uploads_expired ON resumable_uploads (expires_at) WHERE NOT has_pieces;

CREATE TABLE upload_pieces (
    account_id bigint NOT NULL,
    upload_id  uuid NOT NULL,
    start      bigint NOT NULL,
    body       bytea NOT NULL,
    PRIMARY KEY (account_id, upload_id, start)
);
ALTER TABLE upload_pieces ALTER COLUMN body SET STORAGE EXTERNAL;
