-- What the four documents speak of, and what a client may ask of a job: cancel, retry, dry run, idempotency.

ALTER TABLE contacts
    ADD communication_preference text,                      -- null: the first one of the setting
    ADD opted_out boolean NOT NULL DEFAULT false,           -- of everything; opt_ins has the single channels
    ADD team_id bigint;                                     -- no foreign key: see memberships
CREATE INDEX contacts_of_team ON contacts (account_id, team_id) WHERE team_id IS NOT NULL;

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
    team_id       bigint,                                   -- null: every team's
    name          text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 50),
    colour        text,                                     -- #rrggbb
    contact_count integer NOT NULL DEFAULT 0,               -- kept by the trigger on memberships
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
    contact_count integer NOT NULL DEFAULT 0,               -- as above
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
    contact_count integer NOT NULL DEFAULT 0,               -- as above
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, id),
    CONSTRAINT audiences_name UNIQUE (account_id, name)
);

-- Which contacts are in which list, carry which label, belong to which audience: one table, for all three are
-- the same thing to every statement. No foreign keys, whose triggers run for each row: who adds a member locks
-- the contact and the owner FOR KEY SHARE, who deletes one of these locks it FOR UPDATE and then its members.
CREATE TABLE memberships (
    account_id bigint NOT NULL,
    kind       text COLLATE "C" NOT NULL CHECK (kind IN ('list', 'label', 'audience')),
    owner_id   bigint NOT NULL,                             -- of contact_lists, labels or audiences
    contact_id bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, kind, owner_id, contact_id)
);
CREATE INDEX memberships_of_contact ON memberships (account_id, contact_id);

CREATE FUNCTION count_members() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sign integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    UPDATE contact_lists o SET contact_count = o.contact_count + sign * n.members
    FROM (SELECT account_id, owner_id, count(*)::int AS members FROM changed WHERE kind = 'list' GROUP BY 1, 2) n
    WHERE o.account_id = n.account_id AND o.id = n.owner_id;
    UPDATE labels o SET contact_count = o.contact_count + sign * n.members
    FROM (SELECT account_id, owner_id, count(*)::int AS members FROM changed WHERE kind = 'label' GROUP BY 1, 2) n
    WHERE o.account_id = n.account_id AND o.id = n.owner_id;
    UPDATE audiences o SET contact_count = o.contact_count + sign * n.members
    FROM (SELECT account_id, owner_id, count(*)::int AS members FROM changed WHERE kind = 'audience' GROUP BY 1, 2) n
    WHERE o.account_id = n.account_id AND o.id = n.owner_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER memberships_added AFTER INSERT ON memberships REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_members();
CREATE TRIGGER memberships_removed AFTER DELETE ON memberships REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_members();

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

-- What a contact said of a channel, or was said for it. No row: nothing was said.
CREATE TABLE opt_ins (
    account_id bigint NOT NULL,
    contact_id bigint NOT NULL,
    channel_id uuid NOT NULL,
    opted_in   boolean NOT NULL,
    by_contact boolean NOT NULL,                            -- an opt-out of the contact's own is kept
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, contact_id, channel_id)
);
CREATE INDEX opt_ins_of_channel ON opt_ins (account_id, channel_id);

CREATE TABLE property_definitions (
    account_id bigint NOT NULL,
    name       text COLLATE "C" NOT NULL,
    type       text NOT NULL CHECK (type IN ('string', 'number', 'boolean', 'date', 'enum')),
    options    text[],                                      -- of an enum
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, name)
);

ALTER TABLE jobs
    ADD dry_run             boolean NOT NULL DEFAULT false,
    ADD parent_id           uuid,                           -- the job whose failed items this one retries
    ADD cancel_requested_at timestamptz,
    ADD idempotency_key     text COLLATE "C",               -- null again when the body did not arrive, or a day later
    ADD request_hash        bytea,                          -- SHA-256 of method, path and body
    ADD added               integer NOT NULL DEFAULT 0,     -- memberships; frozen when the job ends, like the counts
    ADD removed             integer NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX jobs_idempotency ON jobs (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX jobs_rehearsals ON jobs (account_id, accepted_at) WHERE dry_run AND state IN ('queued', 'running');

ALTER TABLE chunks
    ADD added   integer NOT NULL DEFAULT 0,
    ADD removed integer NOT NULL DEFAULT 0;

ALTER TABLE outcomes ADD notes smallint[];                  -- schemas.states.Note; null: the chunk has none
ALTER TABLE outcome_changes ADD note smallint;

-- The accounts in which a dry run is being rehearsed at this moment. It holds locks on whatever its items touch,
-- so nothing else of the account is applied meanwhile: workers that wait for locks serve nobody.
CREATE VIEW rehearsing AS
SELECT account_id FROM jobs WHERE dry_run AND state = 'running' AND lease_until > now();

-- The dry runs that may be rehearsed: split, at the head of their stream, in nobody's hands, one of an account.
CREATE VIEW rehearsable AS
SELECT j.account_id, j.id, j.accepted_at
FROM jobs j
WHERE j.dry_run AND j.state IN ('queued', 'running') AND j.total IS NOT NULL AND j.cancel_requested_at IS NULL
  AND (j.lease_until IS NULL OR j.lease_until < now())
  AND NOT EXISTS (SELECT FROM rehearsing r WHERE r.account_id = j.account_id)
  AND NOT EXISTS (
    SELECT FROM jobs e
    WHERE e.account_id = j.account_id AND e.stream = j.stream AND e.state IN ('queued', 'running')
      AND e.stream_position < j.stream_position
);

-- As before, but nothing of a dry run: one worker does the whole of it, in one transaction.
CREATE OR REPLACE VIEW claimable AS
SELECT s.account_id, s.stream, head.id AS job_id, head.accepted_at, ready.first_index
FROM streams s
CROSS JOIN LATERAL (
    SELECT j.id, j.accepted_at, j.parallel, j.dry_run
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
WHERE s.pending > 0 AND NOT head.dry_run
  AND NOT EXISTS (SELECT FROM rehearsing r WHERE r.account_id = s.account_id)
  AND head.parallel > (
    SELECT count(*)
    FROM chunks c
    WHERE c.account_id = s.account_id AND c.job_id = head.id AND c.state = 'running'
);

-- As before, and it says which operation the chunk is of: those of some are never cut by the window (schemas.operations).
DROP FUNCTION lock_next_chunk();
CREATE FUNCTION lock_next_chunk() RETURNS TABLE (
    account_id bigint, item_limit integer, window_seconds integer,
    job_id uuid, operation text, first_index integer, items integer, deaths integer
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
        SELECT n.account_id, a.item_limit, a.window_seconds, n.job_id, j.operation, n.first_index,
            CASE WHEN c.deaths >= 3 AND c.items > 1 THEN c.items / 2 ELSE c.items END,
            CASE WHEN c.deaths >= 3 AND c.items > 1 THEN 2 ELSE c.deaths END
        FROM claimable n
        JOIN accounts a ON a.id = n.account_id
        JOIN jobs j ON j.account_id = n.account_id AND j.id = n.job_id
        JOIN chunks c ON c.account_id = n.account_id AND c.job_id = n.job_id AND c.first_index = n.first_index
        WHERE n.account_id = turn.account_id
        ORDER BY n.accepted_at LIMIT 1;
        IF FOUND THEN
            RETURN;
        END IF; -- what there was has been claimed while we waited for the lock: look for another account
    END LOOP;
END
$$;
