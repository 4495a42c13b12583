-- Webhooks: their endpoints, and what is delivered to them. Deliveries are queued by triggers, so also by the workers and apis
-- of the previous release.

CREATE TABLE webhooks (
    account_id      bigint NOT NULL,
    id              text COLLATE "C" NOT NULL,
    url             text NOT NULL,
    events          text[] NOT NULL CHECK (events <> '{}'),
    ordered         boolean NOT NULL DEFAULT false,
    description     text,
    state           text NOT NULL DEFAULT 'on' CHECK (state IN ('on', 'off')),
    off_reason      text,
    off_at          timestamptz,
    secret          bytea NOT NULL,
    previous_secret bytea,
    previous_until  timestamptz,
    failures        integer NOT NULL DEFAULT 0,
    failing_since   timestamptz,
    due_at          timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, id)
) WITH (fillfactor = 50);
CREATE INDEX webhooks_due ON webhooks (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE webhook_deliveries (
    account_id      bigint NOT NULL,
    webhook_id      text COLLATE "C" NOT NULL,
    number          bigint GENERATED ALWAYS AS IDENTITY,
    id              uuid NOT NULL DEFAULT gen_random_uuid(),
    event           text NOT NULL,
    job_id          uuid,
    throttled_until timestamptz,
    episode_until   timestamptz,
    state           text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'waiting', 'sending', 'delivered', 'failed')),
    due_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    tries           integer NOT NULL DEFAULT 0,
    token           bigint,
    lease_until     timestamptz,
    attempts        jsonb NOT NULL DEFAULT '[]',
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    queued_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at        timestamptz,
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
CREATE INDEX webhook_deliveries_created ON webhook_deliveries (created_at);

CREATE FUNCTION queue_job_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;  -- `migrate` replaces it before the commit
END
$$;
CREATE FUNCTION queue_throttling() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;  -- `migrate` replaces it before the commit
END
$$;
CREATE TRIGGER job_added_webhooks AFTER INSERT ON jobs
    FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL) EXECUTE FUNCTION queue_job_end();
CREATE TRIGGER job_ended_webhooks AFTER UPDATE ON jobs
    FOR EACH ROW WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL
                       AND current_setting('bulklane.counts_ends', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION queue_job_end();
CREATE TRIGGER job_throttled_webhooks AFTER UPDATE ON jobs
    FOR EACH ROW WHEN (NEW.throttled_until IS NOT NULL AND NEW.throttled_until IS DISTINCT FROM OLD.throttled_until)
    EXECUTE FUNCTION queue_throttling();

-- They return one column more: whether deliveries were queued.
DROP FUNCTION IF EXISTS end_small_jobs(bigint[], uuid[], text);
DROP FUNCTION IF EXISTS leave_jobs(bigint[], text[], bigint[], text);
