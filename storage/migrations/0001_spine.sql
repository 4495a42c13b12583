-- The spine: accounts, jobs and their bytes, chunks, answers, turns, contacts.
-- Every key starts with account_id, so that the tables can be partitioned or distributed by it.

CREATE TABLE accounts (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL UNIQUE CHECK (name <> ''),
    region          text,                                   -- ISO 3166 region of bare phone numbers
    phone_number_id text UNIQUE,
    request_limit   integer NOT NULL DEFAULT 30     CHECK (request_limit >= 0),  -- 0: no limit
    item_limit      integer NOT NULL DEFAULT 30000  CHECK (item_limit >= 0),     -- 0: no limit
    window_seconds  integer NOT NULL DEFAULT 60     CHECK (window_seconds BETWEEN 1 AND 86400),
    default_wait    integer NOT NULL DEFAULT 0      CHECK (default_wait BETWEEN 0 AND 60),
    created_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
    account_id bigint NOT NULL REFERENCES accounts,
    key_hash   bytea NOT NULL,                              -- SHA-256; the key itself is never stored
    id         text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    PRIMARY KEY (account_id, key_hash),
    UNIQUE (account_id, id)
);

-- A stream is applied in the order of stream_position, which accept takes from last_position under
-- this row's lock: the order of positions is the order of the commits.
CREATE TABLE streams (
    account_id    bigint NOT NULL,
    stream        text NOT NULL,
    last_position bigint NOT NULL,
    pending       integer NOT NULL CHECK (pending >= 0),    -- jobs accepted and not yet ended
    PRIMARY KEY (account_id, stream)
);
CREATE INDEX streams_pending ON streams (account_id) WHERE pending > 0;

CREATE TABLE jobs (
    account_id      bigint NOT NULL,
    id              uuid NOT NULL,                          -- from a ULID: newer is greater
    operation       text NOT NULL,
    params          jsonb NOT NULL DEFAULT '{}',
    stream          text NOT NULL,
    stream_position bigint,                                 -- null while receiving
    state           text NOT NULL CHECK (state IN ('receiving', 'queued', 'running', 'completed',
                                                   'completed_with_errors', 'failed', 'cancelled')),
    error_code      text,
    error_message   text,
    format          text NOT NULL,
    layout          jsonb,                                  -- of CSV: separator and columns
    parallel        integer NOT NULL CHECK (parallel > 0),  -- chunks in flight at the most
    parts           integer NOT NULL DEFAULT 0,             -- received
    split_parts     integer NOT NULL DEFAULT 0,             -- turned into chunks
    split_items     integer NOT NULL DEFAULT 0,
    bytes           bigint NOT NULL DEFAULT 0,
    total           integer,                                -- null until the split is done
    created         integer NOT NULL DEFAULT 0,             -- these seven: frozen when the job ends
    updated         integer NOT NULL DEFAULT 0,
    unchanged       integer NOT NULL DEFAULT 0,
    merged          integer NOT NULL DEFAULT 0,
    skipped         integer NOT NULL DEFAULT 0,
    failed          integer NOT NULL DEFAULT 0,
    cancelled       integer NOT NULL DEFAULT 0,
    request_id      text NOT NULL,
    lease_until     timestamptz,                            -- of the api while receiving, of finish later
    throttled_until timestamptz,
    received_at     timestamptz NOT NULL DEFAULT now(),     -- first byte
    accepted_at     timestamptz,
    started_at      timestamptz,
    finished_at     timestamptz,
    PRIMARY KEY (account_id, id)
) WITH (fillfactor = 70);
CREATE INDEX jobs_queue ON jobs (account_id, stream, stream_position) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_unsplit ON jobs (accepted_at) WHERE state IN ('queued', 'running') AND total IS NULL;
CREATE INDEX jobs_receiving ON jobs (lease_until) WHERE state = 'receiving';
CREATE INDEX jobs_ended ON jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_accepted ON jobs (account_id, accepted_at);

-- The request as it came, cut at record boundaries. Not compressed by PostgreSQL: a chunk reads a
-- slice, and a slice of a compressed value unpacks all of it.
CREATE TABLE parts (
    account_id bigint NOT NULL,
    job_id     uuid NOT NULL,
    part       integer NOT NULL,
    body       bytea NOT NULL,
    PRIMARY KEY (account_id, job_id, part)
);
ALTER TABLE parts ALTER COLUMN body SET STORAGE EXTERNAL;

-- A chunk is a reference: `items` records after the first `skip` ones of a byte range of a part.
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
    token       integer NOT NULL DEFAULT 0,                 -- fencing: rises with each claim
    worker_id   uuid,
    lease_until timestamptz,
    deaths      integer NOT NULL DEFAULT 0,                 -- workers that died holding it
    created     integer NOT NULL DEFAULT 0,
    updated     integer NOT NULL DEFAULT 0,
    unchanged   integer NOT NULL DEFAULT 0,
    merged      integer NOT NULL DEFAULT 0,
    skipped     integer NOT NULL DEFAULT 0,
    failed      integer NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, job_id, first_index)
);
CREATE INDEX chunks_ready ON chunks (account_id, job_id, first_index) WHERE state = 'ready';
CREATE INDEX chunks_running ON chunks (account_id, job_id) WHERE state = 'running';
CREATE INDEX chunks_leases ON chunks (lease_until) WHERE state = 'running';

-- The answers of one chunk; element i of each array is about item first_index + i.
CREATE TABLE outcomes (
    account_id  bigint NOT NULL,
    job_id      uuid NOT NULL,
    first_index integer NOT NULL,
    outcomes    smallint[] NOT NULL,                        -- schemas.states.Outcome
    contact_ids bigint[] NOT NULL,                          -- null: no contact (failed)
    merged_into integer[],                                  -- null: none of the chunk was merged
    PRIMARY KEY (account_id, job_id, first_index)
);

-- Compressing a run of ids gains little and costs as much as the rest of recording a chunk.
ALTER TABLE outcomes ALTER COLUMN contact_ids SET STORAGE EXTERNAL, ALTER COLUMN outcomes SET STORAGE EXTERNAL;

-- What finish corrected: items of contacts that more than one chunk named.
CREATE TABLE outcome_changes (
    account_id  bigint NOT NULL,
    job_id      uuid NOT NULL,
    item_index  integer NOT NULL,
    was         smallint NOT NULL,
    outcome     smallint NOT NULL,
    contact_id  bigint,
    merged_into integer,
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
    value      json,                                        -- json, not jsonb: keeps an escaped NUL
    item       json,
    PRIMARY KEY (account_id, job_id, item_index)
);

CREATE TABLE grants (
    account_id bigint NOT NULL,
    at         timestamptz NOT NULL,                        -- the clock of the window (Redis)
    items      integer NOT NULL,
    PRIMARY KEY (account_id, at)
);

-- Whose turn it is: start-time fair queueing. virtual_time is the number of items served, lifted to
-- the clock of the whole when an idle account comes back.
CREATE TABLE account_turns (
    account_id   bigint PRIMARY KEY,
    active       boolean NOT NULL,                          -- has unfinished jobs
    virtual_time bigint NOT NULL DEFAULT 0,
    start_tag    bigint NOT NULL DEFAULT 0,                 -- virtual_time before the last claim
    served_at    timestamptz,
    ready_at     timestamptz NOT NULL DEFAULT now()         -- in the future: throttled by its window
);
CREATE INDEX account_turns_next ON account_turns (virtual_time) WHERE active;
CREATE INDEX account_turns_clock ON account_turns (served_at DESC NULLS LAST);

CREATE TABLE contacts (
    account_id         bigint NOT NULL,
    id                 bigint GENERATED ALWAYS AS IDENTITY (CACHE 100),
    phone              text COLLATE "C" NOT NULL,           -- E.164
    external_id        text COLLATE "C",
    name               text,
    email              text,
    language           text,
    nickname           text,
    age                smallint,
    gender             text,
    timezone           text,
    birth_date         text,                                -- ISO 8601: 1990-05-17, or --05-17
    address            jsonb,
    default_channel_id uuid,
    metadata           jsonb NOT NULL DEFAULT '{}'
        CONSTRAINT metadata_size CHECK (pg_column_size(metadata) <= 65536),
    properties         jsonb NOT NULL DEFAULT '{}'
        CONSTRAINT properties_size CHECK (pg_column_size(properties) <= 65536),
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, id),
    CONSTRAINT contacts_phone UNIQUE (account_id, phone)
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX contacts_external_id ON contacts (account_id, external_id) WHERE external_id IS NOT NULL;

-- What may be claimed now: of each stream the oldest unfinished job, if one of its chunks is ready and
-- fewer than `parallel` are in flight. Window and turn are claim's business.
CREATE VIEW claimable AS
SELECT s.account_id, s.stream, head.id AS job_id, head.accepted_at, ready.first_index
FROM streams s
CROSS JOIN LATERAL (
    SELECT j.id, j.accepted_at, j.parallel
    FROM jobs j
    WHERE j.account_id = s.account_id AND j.stream = s.stream AND j.state IN ('queued', 'running')
    ORDER BY j.stream_position
    LIMIT 1
) head
CROSS JOIN LATERAL (
    SELECT c.first_index
    FROM chunks c
    WHERE c.account_id = s.account_id AND c.job_id = head.id AND c.state = 'ready'
    ORDER BY c.first_index
    LIMIT 1
) ready
WHERE s.pending > 0
  AND head.parallel > (
    SELECT count(*)
    FROM chunks c
    WHERE c.account_id = s.account_id AND c.job_id = head.id AND c.state = 'running'
);

-- Lock the turn of the account that has been served least and has something to claim, and say which chunk is
-- next: of its oldest job at the head of a stream. First the accounts that nobody is claiming from; only if
-- there is none, wait for one. A function, because its second statement must see what was committed until the
-- first had its lock. `items` and `deaths` are what to lease: a chunk that has cost three workers their life
-- is taken by halves, each with one life left, until the item to blame stands alone.
CREATE FUNCTION lock_next_chunk() RETURNS TABLE (
    account_id bigint, item_limit integer, window_seconds integer,
    job_id uuid, first_index integer, items integer, deaths integer
) LANGUAGE plpgsql AS $$
DECLARE
    turn record;
BEGIN
    FOR attempt IN 1..5 LOOP
        SELECT t.account_id INTO turn FROM account_turns t
        WHERE t.active AND t.ready_at <= clock_timestamp()
          AND EXISTS (SELECT FROM claimable c WHERE c.account_id = t.account_id)
        ORDER BY t.virtual_time LIMIT 1 FOR UPDATE OF t SKIP LOCKED;
        IF NOT FOUND AND attempt = 1 THEN -- never wait for a turn with another one in hand
            SELECT t.account_id INTO turn FROM account_turns t
            WHERE t.active AND t.ready_at <= clock_timestamp()
              AND EXISTS (SELECT FROM claimable c WHERE c.account_id = t.account_id)
            ORDER BY t.virtual_time LIMIT 1 FOR UPDATE OF t;
        END IF;
        IF NOT FOUND THEN
            RETURN;
        END IF;
        RETURN QUERY
        SELECT n.account_id, a.item_limit, a.window_seconds, n.job_id, n.first_index,
            CASE WHEN c.deaths >= 3 AND c.items > 1 THEN c.items / 2 ELSE c.items END,
            CASE WHEN c.deaths >= 3 AND c.items > 1 THEN 2 ELSE c.deaths END
        FROM claimable n
        JOIN accounts a ON a.id = n.account_id
        JOIN chunks c ON c.account_id = n.account_id AND c.job_id = n.job_id AND c.first_index = n.first_index
        WHERE n.account_id = turn.account_id
        ORDER BY n.accepted_at LIMIT 1;
        IF FOUND THEN
            RETURN;
        END IF; -- what there was has been claimed while we waited for the lock: look for another account
    END LOOP;
END
$$;

-- Take the first `p_items` items of a ready chunk: the rest is a chunk of its own. Writes the lease, the token,
-- the grant and the turn, and reads the bytes. No row: the chunk is not ready any more.
CREATE FUNCTION lease_chunk(
    p_account_id bigint, p_job_id uuid, p_first_index integer, p_items integer, p_deaths integer,
    p_granted_at timestamptz, p_worker_id uuid, p_lease_seconds double precision
) RETURNS TABLE (
    job_id uuid, first_index integer, items integer, skip integer, token integer, deaths integer,
    operation text, params jsonb, format text, layout jsonb, body bytea
) LANGUAGE sql VOLATILE ROWS 1 AS $$
    WITH chunk AS MATERIALIZED (
        SELECT * FROM chunks
        WHERE account_id = p_account_id AND job_id = p_job_id AND first_index = p_first_index
          AND state = 'ready'
        FOR UPDATE
    ), rest AS (
        INSERT INTO chunks (account_id, job_id, first_index, items, part, byte_start, byte_end, skip, deaths)
        SELECT account_id, job_id, first_index + p_items, items - p_items, part, byte_start, byte_end,
            skip + p_items, p_deaths
        FROM chunk WHERE items > p_items
    ), leased AS (
        UPDATE chunks c SET state = 'running', items = p_items, deaths = p_deaths, token = c.token + 1,
            worker_id = p_worker_id, lease_until = now() + make_interval(secs => p_lease_seconds)
        FROM chunk
        WHERE c.account_id = chunk.account_id AND c.job_id = chunk.job_id AND c.first_index = chunk.first_index
        RETURNING c.*
    ), started AS (
        UPDATE jobs j SET state = 'running', started_at = COALESCE(j.started_at, clock_timestamp()),
            throttled_until = NULL
        FROM chunk
        WHERE j.account_id = chunk.account_id AND j.id = chunk.job_id
          AND (j.state = 'queued' OR j.throttled_until IS NOT NULL)
    ), granted AS (
        INSERT INTO grants AS g (account_id, at, items)
        SELECT account_id, p_granted_at, p_items FROM chunk WHERE p_granted_at IS NOT NULL
        ON CONFLICT (account_id, at) DO UPDATE SET items = g.items + excluded.items
    ), served AS (
        -- an account that could not be served for a while, its window being used up, has not saved it all up
        UPDATE account_turns t SET start_tag = fair.start, virtual_time = fair.start + p_items,
            served_at = clock_timestamp()
        FROM chunk, LATERAL (
            SELECT GREATEST(own.virtual_time, COALESCE((
                SELECT c.start_tag FROM account_turns c WHERE c.served_at IS NOT NULL
                ORDER BY c.served_at DESC NULLS LAST LIMIT 1), 0) - 10000) AS start
            FROM account_turns own WHERE own.account_id = chunk.account_id
        ) fair
        WHERE t.account_id = chunk.account_id
    )
    SELECT l.job_id, l.first_index, l.items, l.skip, l.token, l.deaths, j.operation, j.params, j.format, j.layout,
        substring(p.body FROM l.byte_start + 1 FOR l.byte_end - l.byte_start)
    FROM leased l
    JOIN jobs j ON j.account_id = l.account_id AND j.id = l.job_id
    JOIN parts p ON p.account_id = l.account_id AND p.job_id = l.job_id AND p.part = l.part
$$;
