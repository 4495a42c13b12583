-- All current tables, indexes and triggers. The migrations create them; this file is maintained by hand, and a test
-- fails if the two differ. To build a database from this folder, run count_members.sql, count_contacts.sql,
-- count_jobs.sql, count_retry.sql, forget_errors.sql, group_errors.sql, keep_changed_contacts.sql, keep_changed_opt_ins.sql,
-- keep_memberships.sql, keep_opt_ins.sql, keep_whole_contacts.sql, note_change.sql, queue_job_end.sql and queue_throttling.sql of functions/, then this file, then the views and the other functions in the order of
-- storage.schema.OBJECTS.
--
-- Columns are in the order in which the migrations added them. Every key starts with account_id, so the tables can
-- be partitioned or distributed by it.

---------------------------------------------------------------------------------------------------
-- Version

-- One row: the newest migration that has run, and the hash of the functions and views that `migrate` created last.
CREATE TABLE schema_version (
    one_row     boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    revision    text NOT NULL,
    fingerprint text NOT NULL
);

---------------------------------------------------------------------------------------------------
-- Accounts

CREATE TABLE accounts (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL UNIQUE CHECK (name <> ''),
    region          text,                                   -- ISO 3166 region of phone numbers without a prefix
    phone_number_id text UNIQUE,
    request_limit   integer NOT NULL DEFAULT 30     CHECK (request_limit >= 0),  -- 0: no limit
    item_limit      integer NOT NULL DEFAULT 30000  CHECK (item_limit >= 0),     -- 0: no limit
    window_seconds  integer NOT NULL DEFAULT 60     CHECK (window_seconds BETWEEN 1 AND 86400),
    default_wait    integer NOT NULL DEFAULT 0      CHECK (default_wait BETWEEN 0 AND 60),
    created_at      timestamptz NOT NULL DEFAULT now(),
    keep_jobs_days  integer CHECK (keep_jobs_days BETWEEN 1 AND 36500), -- of ended jobs; null: KEEP_JOBS_DAYS
    deleting_at     timestamptz                             -- workers delete the account since then: see storage/deletion
);
CREATE INDEX accounts_sorted ON accounts ((lower(name) COLLATE "C"), id); -- the order of the operator's list

CREATE INDEX accounts_deleting ON accounts (id) WHERE deleting_at IS NOT NULL;

-- The accounts that were deleted in the last days. What a request that had begun before stored of them is still deleted.
CREATE TABLE deleted_accounts (
    account_id bigint PRIMARY KEY,
    deleted_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
    account_id bigint NOT NULL REFERENCES accounts,
    key_hash   bytea NOT NULL,                              -- SHA-256; the key itself is never stored
    id         text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    name       text CHECK (name <> ''),
    scopes     text[] NOT NULL DEFAULT '{read,write,admin}' -- schemas.callers.Scope
        CHECK (scopes <@ '{read,write,admin}' AND scopes <> '{}'),
    expires_at timestamptz,                                 -- from then on it opens nothing; null: never
    last_used_at timestamptz,                               -- written at most once a minute
    replaced_by text,                                       -- id of the key that has its name now
    grace_until timestamptz,                                -- as expires_at, because it was replaced
    PRIMARY KEY (account_id, key_hash),
    UNIQUE (account_id, id)
);
CREATE UNIQUE INDEX api_keys_name ON api_keys (account_id, name) WHERE revoked_at IS NULL AND replaced_by IS NULL AND name IS NOT NULL;

---------------------------------------------------------------------------------------------------
-- The path of a job: streams, jobs, parts, chunks, results

-- The jobs of a stream are applied in the order of stream_position. `accept` takes the position from last_position
-- and locks this row, so the order of positions is the order of commits.
CREATE TABLE streams (
    account_id    bigint NOT NULL,
    stream        text NOT NULL,
    last_position bigint NOT NULL,
    pending       integer NOT NULL CHECK (pending >= 0),    -- jobs that are accepted and have not ended
    ended_position bigint NOT NULL DEFAULT 0,               -- all jobs up to this position have ended
    PRIMARY KEY (account_id, stream)
);
CREATE INDEX streams_pending ON streams (account_id, stream) WHERE pending > 0;

-- A row exists from the first byte of a request until `prune` deletes the job after its end.
CREATE TABLE jobs (
    account_id          bigint NOT NULL,
    id                  uuid NOT NULL,                      -- from a ULID: ids grow with time
    operation           text NOT NULL,                      -- schemas.states.Operation
    params              jsonb NOT NULL DEFAULT '{}',
    stream              text NOT NULL,
    stream_position     bigint,                             -- null while receiving
    state               text NOT NULL CHECK (state IN ('receiving', 'queued', 'running', 'completed',
                                                       'completed_with_errors', 'failed', 'cancelled')),
    error_code          text,
    error_message       text,
    format              text NOT NULL,
    layout              jsonb,                              -- CSV only: separator and columns
    parallel            integer NOT NULL CHECK (parallel > 0),  -- maximum of chunks in flight
    parts               integer NOT NULL DEFAULT 0,         -- parts received
    split_parts         integer NOT NULL DEFAULT 0,         -- parts split into chunks
    split_items         integer NOT NULL DEFAULT 0,
    bytes               bigint NOT NULL DEFAULT 0,
    total               integer,                            -- items; null until all parts are split
    created             integer NOT NULL DEFAULT 0,         -- these seven counts are set when the job ends
    updated             integer NOT NULL DEFAULT 0,
    unchanged           integer NOT NULL DEFAULT 0,
    merged              integer NOT NULL DEFAULT 0,
    skipped             integer NOT NULL DEFAULT 0,
    failed              integer NOT NULL DEFAULT 0,
    cancelled           integer NOT NULL DEFAULT 0,
    request_id          text NOT NULL,
    lease_until         timestamptz,                        -- of the api while receiving, then of a dry run or of finish
    throttled_until     timestamptz,
    received_at         timestamptz NOT NULL DEFAULT now(), -- time of the first byte
    accepted_at         timestamptz,
    started_at          timestamptz,
    finished_at         timestamptz,
    dry_run             boolean NOT NULL DEFAULT false,
    parent_id           uuid,                               -- the job whose failed items this one retries
    cancel_requested_at timestamptz,
    idempotency_key     text COLLATE "C",                   -- set to null if the upload fails, or after a day
    request_hash        bytea,                              -- SHA-256 of method, path and body
    added               integer NOT NULL DEFAULT 0,         -- memberships; set when the job ends, like the counts
    removed             integer NOT NULL DEFAULT 0,
    token               bigint,                             -- the fence of the lease of a dry run or of finish
    failures            smallint NOT NULL DEFAULT 0,        -- errors of ours since the last success
    retry_at            timestamptz,                        -- after such an error: nobody works on the job before
    name                text COLLATE "C",                   -- given by the client
    tags                text[] NOT NULL DEFAULT '{}',       -- given by the client
    file_name           text,                               -- of the file at the client, without folders
    changed             xid8 NOT NULL DEFAULT pg_current_xact_id(), -- the last change that a client sees, without its chunks
    trace               text,                               -- the place in its trace: schemas.trace_context
    submitted_by        jsonb,                              -- the caller: schemas.callers; null: made before callers were stored
    cancelled_by        jsonb,                              -- the caller of the first cancellation, with its time, `at`
    PRIMARY KEY (account_id, id)
) WITH (fillfactor = 70);
-- Without statistics, every index that begins with account_id seems to find one row. An index that must not be taken for
-- a look-up by id has a condition that only the statements meant for it repeat: here, stream_position > 0.
CREATE INDEX jobs_queue ON jobs (account_id, stream, stream_position)
    WHERE state IN ('queued', 'running') AND stream_position > 0;
CREATE INDEX jobs_unsplit ON jobs (retry_at NULLS FIRST, accepted_at) WHERE state IN ('queued', 'running') AND total IS NULL;
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE state IN ('queued', 'running') AND lease_until IS NOT NULL;
CREATE INDEX jobs_unended ON jobs (retry_at NULLS FIRST)
    WHERE state IN ('queued', 'running') AND total IS NOT NULL AND lease_until IS NULL AND throttled_until IS NULL
      AND (state = 'running' OR cancel_requested_at IS NOT NULL OR error_code IS NOT NULL OR total = 0);
CREATE INDEX jobs_receiving ON jobs (account_id, lease_until) WHERE state = 'receiving';
CREATE INDEX jobs_dry_runs ON jobs (account_id, accepted_at) WHERE dry_run AND state IN ('queued', 'running');
-- What pruning deletes, and the changes of an account. Only the statements meant for these indexes write account_id + 0.
CREATE INDEX jobs_ended ON jobs ((account_id + 0), finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_changed ON jobs ((account_id + 0), changed, id);
CREATE INDEX jobs_running ON jobs ((account_id + 0)) WHERE state = 'running';
CREATE INDEX jobs_delayed ON jobs (retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX jobs_sorted ON jobs (state, operation, id) WHERE parallel > 0; -- the jobs of all accounts, for the operator
CREATE INDEX jobs_children ON jobs (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX jobs_undoing ON jobs ((params ->> 'undoes')) WHERE params ->> 'undoes' IS NOT NULL;
CREATE UNIQUE INDEX jobs_idempotency ON jobs (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE TRIGGER jobs_changed BEFORE UPDATE ON jobs FOR EACH ROW
    WHEN ((OLD.state, OLD.total, OLD.throttled_until, OLD.cancel_requested_at, OLD.error_code)
          IS DISTINCT FROM (NEW.state, NEW.total, NEW.throttled_until, NEW.cancel_requested_at, NEW.error_code))
    EXECUTE FUNCTION note_change();
CREATE TRIGGER job_added AFTER INSERT ON jobs
    FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL) EXECUTE FUNCTION count_jobs();
CREATE TRIGGER job_ended AFTER UPDATE ON jobs
    FOR EACH ROW WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL
                       AND current_setting('bulklane.counts_ends', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION count_jobs();
CREATE TRIGGER job_removed AFTER DELETE ON jobs
    FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL) EXECUTE FUNCTION count_jobs();
CREATE TRIGGER retry_added AFTER INSERT ON jobs
    FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL AND NEW.accepted_at IS NOT NULL) EXECUTE FUNCTION count_retry();
CREATE TRIGGER retry_accepted AFTER UPDATE ON jobs
    FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL AND OLD.accepted_at IS NULL AND NEW.accepted_at IS NOT NULL)
    EXECUTE FUNCTION count_retry();
-- Wherever a job ends, its webhooks hear of it, in the transaction that ends it.
CREATE TRIGGER job_added_webhooks AFTER INSERT ON jobs
    FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL) EXECUTE FUNCTION queue_job_end();
CREATE TRIGGER job_ended_webhooks AFTER UPDATE ON jobs
    FOR EACH ROW WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL
                       AND current_setting('bulklane.counts_ends', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION queue_job_end();
CREATE TRIGGER job_throttled_webhooks AFTER UPDATE ON jobs
    FOR EACH ROW WHEN (NEW.throttled_until IS NOT NULL AND NEW.throttled_until IS DISTINCT FROM OLD.throttled_until)
    EXECUTE FUNCTION queue_throttling();

-- The ended jobs in the order of time, by tag and name: a job has a row for each pair of one of its tags, or '', and its name,
-- or ''. A job that can be retried has these rows twice: with its state, and with its state after 'retryable '. So a list with
-- any filter reads only what it returns.
CREATE TABLE job_history (
    account_id  bigint NOT NULL,
    tag         text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    operation   text NOT NULL,
    state       text NOT NULL,
    received_at timestamptz NOT NULL,
    job_id      uuid NOT NULL,
    PRIMARY KEY (account_id, tag, name, operation, state, received_at, job_id)
);

-- The numbers of rows of job_history by the hour of received_at. What has changed since the counts were last folded is in
-- job_count_changes: a number is the sum over both, which the view job_numbers adds up.
CREATE TABLE job_counts (
    account_id bigint NOT NULL,
    tag        text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    hour       timestamptz NOT NULL,
    operation  text NOT NULL,
    state      text NOT NULL,
    jobs       bigint NOT NULL,
    PRIMARY KEY (account_id, tag, name, hour, operation, state) INCLUDE (jobs)
);
CREATE INDEX job_counts_empty ON job_counts (account_id) WHERE jobs = 0;

CREATE TABLE job_count_changes (
    account_id bigint NOT NULL,
    tag        text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    number     bigint GENERATED ALWAYS AS IDENTITY,
    hour       timestamptz NOT NULL,
    operation  text NOT NULL,
    state      text NOT NULL,
    jobs       integer NOT NULL,
    PRIMARY KEY (account_id, tag, name, number)
);

-- The body of the request, cut at record boundaries. It is stored uncompressed, because a chunk reads a slice, and
-- PostgreSQL decompresses a whole value to read a slice of it.
CREATE TABLE parts (
    account_id bigint NOT NULL,
    job_id     uuid NOT NULL,
    part       integer NOT NULL,
    body       bytea NOT NULL,
    PRIMARY KEY (account_id, job_id, part)
);
ALTER TABLE parts ALTER COLUMN body SET STORAGE EXTERNAL;

-- The parts of the jobs with unknown_columns=keep once more: their results repeat the rows as they were sent. They are
-- deleted with the job, and no worker reads them, so they are stored compressed.
CREATE TABLE kept_parts (
    account_id bigint NOT NULL,
    job_id     uuid NOT NULL,
    part       integer NOT NULL,
    body       bytea NOT NULL,
    PRIMARY KEY (account_id, job_id, part)
);

-- A bulk request whose bytes arrive in several requests. A row exists from its creation until it expires.
CREATE TABLE resumable_uploads (
    account_id      bigint NOT NULL,
    id              uuid NOT NULL,                          -- from a ULID
    operation       text NOT NULL,
    query           text NOT NULL,                          -- of the bulk request, as in its URL
    headers         jsonb NOT NULL,                         -- of the bulk request: what describes the bytes
    length          bigint CHECK (length >= 0),             -- of all bytes; null: the client has not told yet
    arrived         bigint NOT NULL DEFAULT 0,              -- bytes that are stored: the offset of the next one
    complete        boolean NOT NULL DEFAULT false,         -- all bytes are stored
    token           bigint NOT NULL,                        -- of the newest request, the only one that may append
    job_id          uuid,                                   -- the job that is, or was, made of it
    refusal         json,                                   -- the error, if its bytes can be no job; jsonb rejects NUL
    finished_at     timestamptz,                            -- the job was accepted, or the upload refused
    idempotency_key text COLLATE "C",
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,                   -- from then on, it does not exist for clients
    has_pieces      boolean NOT NULL DEFAULT true,          -- pruning has not deleted all pieces yet
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX resumable_uploads_key ON resumable_uploads (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX resumable_uploads_unfinished ON resumable_uploads (account_id, id) WHERE finished_at IS NULL;
CREATE INDEX resumable_uploads_removable ON resumable_uploads (LEAST(finished_at, expires_at)) WHERE has_pieces;
CREATE INDEX resumable_uploads_expired ON resumable_uploads (expires_at) WHERE NOT has_pieces;

-- The bytes of such a request as they arrived, each piece with its offset, until its job is accepted. Small pieces share a row.
CREATE TABLE upload_pieces (
    account_id bigint NOT NULL,
    upload_id  uuid NOT NULL,
    start      bigint NOT NULL,
    body       bytea NOT NULL,
    PRIMARY KEY (account_id, upload_id, start)
);
ALTER TABLE upload_pieces ALTER COLUMN body SET STORAGE EXTERNAL;

-- The numbers of changes of contacts, by chunks and over REST. Whoever changes a contact draws a number while it holds
-- the lock on the contact, so the numbers of two changes of one contact are in the order of their commits.
CREATE SEQUENCE applications;

-- A chunk refers to `items` records in a byte range of a part, after the first `skip` records of that range.
CREATE TABLE chunks (
    account_id  bigint NOT NULL,
    job_id      uuid NOT NULL,
    first_index integer NOT NULL,
    items       integer NOT NULL CHECK (items > 0),
    part        integer NOT NULL,
    byte_start  integer NOT NULL,
    byte_end    integer NOT NULL,
    skip        integer NOT NULL DEFAULT 0,
    state       text NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'running', 'done', 'cancelled')),
    token       bigint NOT NULL DEFAULT 0,                  -- the fence: the random number of the claim
    worker_id   uuid,
    lease_until timestamptz,
    deaths      integer NOT NULL DEFAULT 0,                 -- workers that died, or failed by the chunk's items
    created     integer NOT NULL DEFAULT 0,
    updated     integer NOT NULL DEFAULT 0,
    unchanged   integer NOT NULL DEFAULT 0,
    merged      integer NOT NULL DEFAULT 0,
    skipped     integer NOT NULL DEFAULT 0,
    failed      integer NOT NULL DEFAULT 0,
    added       integer NOT NULL DEFAULT 0,                 -- memberships
    removed     integer NOT NULL DEFAULT 0,
    applied     bigint,                                     -- number of its application; null until it is done
    changed     xid8,                                       -- the transaction that recorded its results
    claimed_at  timestamptz,                                -- when a worker last claimed it
    done_at     timestamptz,                                -- when it recorded them
    PRIMARY KEY (account_id, job_id, first_index)
);
CREATE INDEX chunks_ready ON chunks (account_id, job_id, first_index) WHERE state = 'ready';
CREATE INDEX chunks_running ON chunks (account_id, job_id) WHERE state = 'running';
CREATE INDEX chunks_leases ON chunks (worker_id) WHERE state = 'running' AND worker_id IS NOT NULL;
CREATE TRIGGER chunks_repeated AFTER UPDATE ON chunks
    FOR EACH ROW WHEN (OLD.state = 'done' AND NEW.state = 'ready') EXECUTE FUNCTION forget_errors();

-- The results of one chunk. Element i of each array, counted from 0, belongs to item first_index + i.
CREATE TABLE outcomes (
    account_id  bigint NOT NULL,
    job_id      uuid NOT NULL,
    first_index integer NOT NULL,
    outcomes    smallint[] NOT NULL,                        -- schemas.states.Outcome
    contact_ids bigint[] NOT NULL,                          -- element null: no contact, the item failed
    merged_into integer[],                                  -- null: no item of the chunk was merged
    notes       smallint[],                                 -- schemas.states.Note; null: no item of the chunk has one
    fields      jsonb,                                      -- what notes are about: names by the place of an item, from 1
    PRIMARY KEY (account_id, job_id, first_index)
);
-- Compressing a run of ids saves little space and takes as long as the rest of recording a chunk.
ALTER TABLE outcomes ALTER COLUMN contact_ids SET STORAGE EXTERNAL, ALTER COLUMN outcomes SET STORAGE EXTERNAL;

-- Results that `finish` corrected: items that name a contact which several chunks of the job name.
CREATE TABLE outcome_changes (
    account_id  bigint NOT NULL,
    job_id      uuid NOT NULL,
    item_index  integer NOT NULL,
    was         smallint NOT NULL,                          -- the outcome before the correction
    outcome     smallint NOT NULL,
    contact_id  bigint,
    merged_into integer,
    note        smallint,
    PRIMARY KEY (account_id, job_id, item_index)
);

CREATE TABLE item_errors (
    account_id bigint NOT NULL,
    job_id     uuid NOT NULL,
    item_index integer NOT NULL,
    ref        text,
    field      text,
    code       text NOT NULL,
    message    text NOT NULL,
    value      json,                                        -- json, because jsonb rejects an escaped NUL
    item       json,
    PRIMARY KEY (account_id, job_id, item_index)
);

-- The item errors of a job by code and field: maintained by the trigger on item_errors, which adds rows for each statement.
-- The end of the job merges them. The items of two rows of a job differ, so the first index is a key.
CREATE TABLE error_groups (
    account_id  bigint NOT NULL,
    job_id      uuid NOT NULL,
    first_index integer NOT NULL,                           -- of the items of the row
    code        text,                                       -- null: the errors of many small groups
    field       text,
    errors      bigint NOT NULL,
    examples    integer[] NOT NULL,                         -- the first indexes of items
    PRIMARY KEY (account_id, job_id, first_index)
);
CREATE TRIGGER item_errors_added AFTER INSERT ON item_errors REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION group_errors();

-- The number of item errors that the chunks of a job have stored: limits are compared with it. It is no column of
-- `jobs`, because a chunk that waits for the job, and a cancellation that waits for the chunk, would deadlock.
CREATE TABLE error_counts (
    account_id bigint NOT NULL,
    job_id     uuid NOT NULL,
    errors     bigint NOT NULL,
    items      bigint NOT NULL DEFAULT 0,                   -- applied items, if the job has `max_errors`
    PRIMARY KEY (account_id, job_id)
);

---------------------------------------------------------------------------------------------------
-- Turns and windows

-- The order in which accounts are served: start-time fair queueing. virtual_time is the number of items served. When
-- an idle account becomes active, its virtual_time is raised to the start_tag of the account served last.
CREATE TABLE account_turns (
    account_id   bigint PRIMARY KEY,
    active       boolean NOT NULL,                          -- the account has unfinished jobs
    virtual_time bigint NOT NULL DEFAULT 0,
    start_tag    bigint NOT NULL DEFAULT 0,                 -- virtual_time before the last claim
    served_at    timestamptz,
    ready_at     timestamptz NOT NULL DEFAULT now(),        -- from throttled_at to ready_at, the window throttles
    throttled_at timestamptz NOT NULL DEFAULT now(),        -- the account; both, so that a clock step freezes nobody
    last_stream  text                                       -- the stream of the last claim: the next one follows
);
-- The turns that are due, those that wait for their window, and since when: see wake_turns.
CREATE INDEX account_turns_next ON account_turns (virtual_time) WHERE active AND ready_at <= throttled_at;
CREATE INDEX account_turns_waiting ON account_turns (ready_at) WHERE ready_at > throttled_at;
CREATE INDEX account_turns_waiting_since ON account_turns (throttled_at) WHERE ready_at > throttled_at;
CREATE INDEX account_turns_clock ON account_turns (served_at DESC NULLS LAST);

-- What the item windows have granted. A window that Redis has lost is loaded from this table.
CREATE TABLE grants (
    account_id  bigint NOT NULL,
    at          timestamptz NOT NULL,                       -- the window's own time
    items       integer NOT NULL,
    redis_at    timestamptz NOT NULL,                       -- what the clock of Redis showed
    postgres_at timestamptz NOT NULL,                       -- what the clock of PostgreSQL showed
    PRIMARY KEY (account_id, at)
);

-- What the admission windows have admitted. The newest row of an account is the base of the window's time: it was
-- base_at when the clocks showed postgres_at and api_at.
CREATE TABLE admissions (
    account_id  bigint NOT NULL,
    at          timestamptz NOT NULL,                       -- the window's own time
    base_at     timestamptz NOT NULL,                       -- `at`, or later after the step of a clock
    postgres_at timestamptz NOT NULL,
    api_at      timestamptz NOT NULL,
    requests    integer NOT NULL DEFAULT 1,                 -- more than 1 if the window's time stood still
    PRIMARY KEY (account_id, at)
);

-- When a worker last began a round of periodic work, so that the others need not. `what` names the work.
CREATE TABLE rounds (
    what     text PRIMARY KEY,
    begun_at timestamptz NOT NULL
);

-- The worker processes. Each writes its row every few seconds and deletes it when it stops.
CREATE TABLE workers (
    id         uuid PRIMARY KEY,                            -- as in chunks.worker_id
    host       text NOT NULL,
    pid        integer NOT NULL,
    version    text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    metrics_port integer                                    -- where it serves its metrics; null: it does not
) WITH (fillfactor = 50);

---------------------------------------------------------------------------------------------------
-- Contacts

CREATE TABLE contacts (
    account_id               bigint NOT NULL,
    id                       bigint GENERATED ALWAYS AS IDENTITY (CACHE 100),
    phone                    text COLLATE "C" NOT NULL,     -- E.164
    external_id              text COLLATE "C",
    name                     text,
    email                    text,
    language                 text,
    nickname                 text,
    age                      smallint,
    gender                   text,
    timezone                 text,
    birth_date               text,                          -- ISO 8601: 1990-05-17, or --05-17
    address                  jsonb,
    default_channel_id       uuid,
    metadata                 jsonb NOT NULL DEFAULT '{}'
        CONSTRAINT metadata_size CHECK (pg_column_size(metadata) <= 65536),
    properties               jsonb NOT NULL DEFAULT '{}'
        CONSTRAINT properties_size CHECK (pg_column_size(properties) <= 65536),
    created_at               timestamptz NOT NULL DEFAULT now(),
    updated_at               timestamptz NOT NULL DEFAULT now(), -- then the time of the last statement that changed it
    communication_preference text,                          -- null: the first preference of the setting
    opted_out                boolean NOT NULL DEFAULT false, -- from all channels; opt_ins holds single channels
    team_id                  bigint,                        -- no foreign key: see memberships
    PRIMARY KEY (account_id, id),
    CONSTRAINT contacts_phone UNIQUE (account_id, phone)
) WITH (fillfactor = 70); -- room for changed rows: see docs/design.md
CREATE UNIQUE INDEX contacts_external_id ON contacts (account_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX contacts_of_team ON contacts (account_id, team_id) WHERE team_id IS NOT NULL;

-- The number of contacts of an account is the sum over its rows, of which one may be negative. There are as many rows as
-- transactions have changed the account's contacts at once, so that they do not wait for each other.
CREATE TABLE contact_counts (
    account_id bigint NOT NULL,
    slot       integer GENERATED ALWAYS AS IDENTITY,
    contacts   bigint NOT NULL,
    PRIMARY KEY (account_id, slot)
) WITH (fillfactor = 50);
CREATE TRIGGER contacts_added AFTER INSERT ON contacts REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_contacts();
CREATE TRIGGER contacts_removed AFTER DELETE ON contacts REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_contacts();

-- Changes of contacts over REST while a job of the stream `contacts` is unfinished. `settle` does not undo them. The end
-- of such a job deletes them.
CREATE TABLE contact_changes (
    account_id bigint NOT NULL,
    contact_id bigint NOT NULL,
    applied    bigint NOT NULL,                             -- from the sequence `applications`
    fields     jsonb NOT NULL,                              -- the given fields and keys, as in an item; null: cleared
    PRIMARY KEY (account_id, contact_id, applied)
);

CREATE TRIGGER contacts_added_singly AFTER INSERT ON contacts REFERENCING NEW TABLE AS whole
    FOR EACH STATEMENT WHEN (current_setting('bulklane.change', true) LIKE '{%') EXECUTE FUNCTION keep_whole_contacts();
CREATE TRIGGER contacts_changed AFTER UPDATE ON contacts REFERENCING OLD TABLE AS gone NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION keep_changed_contacts();
CREATE TRIGGER contacts_deleted AFTER DELETE ON contacts REFERENCING OLD TABLE AS whole
    FOR EACH STATEMENT EXECUTE FUNCTION keep_whole_contacts();

CREATE TABLE property_definitions (
    account_id bigint NOT NULL,
    name       text COLLATE "C" NOT NULL,
    type       text NOT NULL CHECK (type IN ('string', 'number', 'boolean', 'date', 'enum')),
    options    text[],                                      -- enum only
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, name)
);

---------------------------------------------------------------------------------------------------
-- Teams, labels, lists, audiences and their members

CREATE TABLE teams (
    account_id bigint NOT NULL,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    name       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, id),
    CONSTRAINT teams_name UNIQUE (account_id, name)
);

CREATE TABLE labels (
    account_id    bigint NOT NULL,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    team_id       bigint,                                   -- null: the label belongs to every team
    name          text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 50),
    colour        text,                                     -- #rrggbb
    contact_count integer NOT NULL DEFAULT 0,               -- maintained by the triggers on memberships
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, id),
    CONSTRAINT labels_name UNIQUE NULLS NOT DISTINCT (account_id, team_id, name),
    CONSTRAINT labels_team FOREIGN KEY (account_id, team_id) REFERENCES teams
);

CREATE TABLE contact_lists (
    account_id    bigint NOT NULL,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    name          text NOT NULL,
    contact_count integer NOT NULL DEFAULT 0,               -- maintained by the triggers on memberships
    archived_at   timestamptz,                              -- null: active
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, id),
    CONSTRAINT contact_lists_name UNIQUE (account_id, name)
);

CREATE TABLE audiences (
    account_id    bigint NOT NULL,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    name          text NOT NULL,
    contact_count integer NOT NULL DEFAULT 0,               -- maintained by the triggers on memberships
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, id),
    CONSTRAINT audiences_name UNIQUE (account_id, name)
);

-- The members of lists, labels and audiences. One table, because every statement treats the three alike. There are
-- no foreign keys, because their triggers run once per row. Instead, a transaction that adds members locks the
-- contact and the owner FOR KEY SHARE. A transaction that deletes a contact or an owner locks it FOR UPDATE and then
-- deletes its memberships.
CREATE TABLE memberships (
    account_id bigint NOT NULL,
    kind       text COLLATE "C" NOT NULL CHECK (kind IN ('list', 'label', 'audience')),
    owner_id   bigint NOT NULL,                             -- id in contact_lists, labels or audiences
    contact_id bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, kind, owner_id, contact_id)
);
CREATE INDEX memberships_of_contact ON memberships (account_id, contact_id);
CREATE TRIGGER memberships_added AFTER INSERT ON memberships REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_members();
CREATE TRIGGER memberships_removed AFTER DELETE ON memberships REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_members();
CREATE TRIGGER memberships_kept_added AFTER INSERT ON memberships REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION keep_memberships();
CREATE TRIGGER memberships_kept_removed AFTER DELETE ON memberships REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION keep_memberships();

---------------------------------------------------------------------------------------------------
-- Channels and opt-ins

CREATE TABLE channels (
    account_id bigint NOT NULL,
    id         uuid NOT NULL DEFAULT gen_random_uuid(),
    name       text NOT NULL,
    phone      text COLLATE "C",                            -- E.164
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, id),
    CONSTRAINT channels_name UNIQUE (account_id, name),
    CONSTRAINT channels_phone UNIQUE (account_id, phone)
);

-- Whether a contact has opted in to a channel or out of it. No row: neither.
CREATE TABLE opt_ins (
    account_id bigint NOT NULL,
    contact_id bigint NOT NULL,
    channel_id uuid NOT NULL,
    opted_in   boolean NOT NULL,
    by_contact boolean NOT NULL,                            -- set by the contact: such an opt-out is kept
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, contact_id, channel_id)
);
CREATE INDEX opt_ins_of_channel ON opt_ins (account_id, channel_id);
CREATE TRIGGER opt_ins_added AFTER INSERT ON opt_ins REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION keep_opt_ins();
CREATE TRIGGER opt_ins_changed AFTER UPDATE ON opt_ins REFERENCING OLD TABLE AS gone NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION keep_changed_opt_ins();
CREATE TRIGGER opt_ins_removed AFTER DELETE ON opt_ins REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION keep_opt_ins();

-- Requests to erase all that is stored about a contact. Workers do it in steps, each of which notes where the next one begins.
CREATE TABLE erasures (
    account_id  bigint NOT NULL,
    id          uuid NOT NULL,                              -- from a ULID
    contact_id  bigint NOT NULL,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'completed')),
    identifiers jsonb,                                      -- by which it is looked for; null as soon as all is erased
    step        smallint NOT NULL DEFAULT 0,                -- storage.deletion.erasures.ErasureStep
    after       jsonb,                                      -- where the step goes on; null: at its beginning
    checked     bigint NOT NULL DEFAULT 0,                  -- failed items and parts that were looked through
    erased      bigint NOT NULL DEFAULT 0,                  -- of these items, and rows of parts, that are erased
    created_at  timestamptz NOT NULL DEFAULT now(),
    due_at      timestamptz NOT NULL DEFAULT now(),         -- of the next step
    finished_at timestamptz,
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX erasures_of_contact ON erasures (account_id, contact_id);
CREATE INDEX erasures_due ON erasures (due_at) WHERE finished_at IS NULL;

---------------------------------------------------------------------------------------------------
-- What changed contacts, for UNDO_DAYS

-- What a job changed, written in the transaction that changed it: a row for each field, with the contacts in which it differs.
-- A contact that the job created has none: outcomes name it. `field` is a column of contacts; or 'list:ID', 'label:ID' or
-- 'audience:ID': the time of the membership; or 'channel:ID': see opt_in_state; or 'contact': the whole row of a contact that
-- was deleted, whose memberships and opt-ins have images of their own. Element i of each array belongs to contact_ids[i];
-- null: no value.
CREATE TABLE before_images (
    account_id  bigint NOT NULL,
    job_id      uuid NOT NULL,
    number      bigint NOT NULL DEFAULT nextval('applications'), -- later changes of a contact have greater numbers
    field       text COLLATE "C" NOT NULL,
    at          timestamptz NOT NULL DEFAULT statement_timestamp(), -- the updated_at that the change gave the contacts
    contact_ids bigint[] NOT NULL,                          -- at most 1,000
    old         text[],
    new         text[],
    old_json    jsonb[],                                    -- in place of old and new, for JSON fields and 'contact'
    new_json    jsonb[],
    PRIMARY KEY (account_id, job_id, number)
);
ALTER TABLE before_images ALTER contact_ids SET STORAGE EXTERNAL;
CREATE INDEX before_images_at ON before_images (at, number);

-- What single requests changed over REST: a row for each field, as in before_images; 'contact' has the new row of a contact that
-- was created, too.
CREATE TABLE single_changes (
    account_id bigint NOT NULL,
    contact_id bigint NOT NULL,
    number     bigint NOT NULL DEFAULT nextval('applications'),
    field      text COLLATE "C" NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    caller     jsonb NOT NULL,                              -- schemas.callers.Caller
    old        jsonb,
    new        jsonb,
    PRIMARY KEY (account_id, contact_id, number)
);
CREATE INDEX single_changes_at ON single_changes (at, number);

---
---------------------------------------------------------------------------------------------------
-- Webhooks

-- The endpoints of clients. `due_at` is when the next delivery is due, as far as deliveries were taken in; null: none waits, as
-- many are being sent as may, or the webhook is off. Only workers that take in, claim and record deliveries lock these rows: the
-- end of a job waits for none of them.
CREATE TABLE webhooks (
    account_id      bigint NOT NULL,
    id              text COLLATE "C" NOT NULL,              -- given by the client, or wh_ and 26 characters
    url             text NOT NULL,
    events          text[] NOT NULL CHECK (events <> '{}'), -- schemas.webhooks.event_types.WebhookEvent
    ordered         boolean NOT NULL DEFAULT false,         -- one delivery at a time, in the order of numbers
    description     text,
    state           text NOT NULL DEFAULT 'on' CHECK (state IN ('on', 'off')),
    off_reason      text,                                   -- schemas.webhooks.event_types.OffReason
    off_at          timestamptz,
    secret          bytea NOT NULL,                         -- signs; as it is, because a hash could not sign
    previous_secret bytea,                                  -- signs, too, until previous_until
    previous_until  timestamptz,
    failures        integer NOT NULL DEFAULT 0,             -- failed attempts since the last success
    failing_since   timestamptz,
    due_at          timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    life            uuid NOT NULL DEFAULT gen_random_uuid(), -- differs from that of a deleted webhook with the same id
    PRIMARY KEY (account_id, id)
) WITH (fillfactor = 50);
CREATE INDEX webhooks_due ON webhooks (due_at) WHERE due_at IS NOT NULL;

-- The messages for webhooks: one for each webhook and event, with the same id in every attempt. A row is 'new' until a worker
-- takes it in, then 'waiting', 'sending' while a worker has leased it, and in the end 'delivered' or 'failed'.
CREATE TABLE webhook_deliveries (
    account_id      bigint NOT NULL,
    webhook_id      text COLLATE "C" NOT NULL,
    number          bigint GENERATED ALWAYS AS IDENTITY,    -- the order of ordered webhooks
    id              uuid NOT NULL DEFAULT gen_random_uuid(), -- `webhook-id`; random, so that a restored database repeats none
    event           text NOT NULL,                          -- a WebhookEvent, or 'webhook.test'
    job_id          uuid,                                   -- null: a test
    throttled_until timestamptz,                            -- job.throttled: as the event found the job
    episode_until   timestamptz,                            -- job.throttled: see queue_throttling
    state           text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'waiting', 'sending', 'delivered', 'failed')),
    due_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    tries           integer NOT NULL DEFAULT 0,             -- attempts since it was queued, or queued again by a replay
    token           bigint,                                 -- the fence of its lease
    lease_until     timestamptz,
    attempts        jsonb NOT NULL DEFAULT '[]',            -- the last ones, schemas.wire.webhooks.endpoints.Attempt
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(), -- when the event happened
    queued_at       timestamptz NOT NULL DEFAULT clock_timestamp(), -- later than created_at after a replay
    ended_at        timestamptz,
    life            uuid,                                   -- of its webhook; null: queued by an earlier release
    faults          integer NOT NULL DEFAULT 0,             -- errors of ours since it was queued, or queued again
    PRIMARY KEY (account_id, webhook_id, number)
);
CREATE UNIQUE INDEX webhook_deliveries_id ON webhook_deliveries (account_id, webhook_id, id);
CREATE INDEX webhook_deliveries_new ON webhook_deliveries (account_id, number) WHERE state = 'new';
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (account_id, webhook_id, due_at) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_open ON webhook_deliveries (account_id, webhook_id, number)
    WHERE state IN ('new', 'waiting', 'sending');
CREATE INDEX webhook_deliveries_sending ON webhook_deliveries (account_id, webhook_id) WHERE state = 'sending';
CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (account_id, webhook_id, created_at) WHERE state = 'failed';
CREATE INDEX webhook_deliveries_state ON webhook_deliveries (account_id, webhook_id, state, number);
CREATE INDEX webhook_deliveries_throttled ON webhook_deliveries (account_id, job_id) WHERE event = 'job.throttled';
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (created_at) WHERE ended_at IS NOT NULL;
CREATE INDEX webhook_deliveries_left ON webhook_deliveries (created_at) WHERE ended_at IS NULL;

---------------------------------------------------------------------------------------------------
-- The service itself

-- Secrets that all processes share, for example to sign the cookies of the pages.
CREATE TABLE server_secrets (
    name       text PRIMARY KEY,
    value      bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
