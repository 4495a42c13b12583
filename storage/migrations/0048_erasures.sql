-- Requests to erase all that is stored about a contact: see storage/deletion.
CREATE TABLE erasures (
    account_id  bigint NOT NULL,
    id          uuid NOT NULL,
    contact_id  bigint NOT NULL,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'completed')),
    identifiers jsonb,
    step        smallint NOT NULL DEFAULT 0,
    after       jsonb,
    checked     bigint NOT NULL DEFAULT 0,
    erased      bigint NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT now(),
    due_at      timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX erasures_of_contact ON erasures (account_id, contact_id);
CREATE INDEX erasures_due ON erasures (due_at) WHERE finished_at IS NULL;
