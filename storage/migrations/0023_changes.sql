-- The transactions that changed what a client sees of a job, so that a stream of events can go on where it was cut. Jobs
-- that exist count as changed by this migration.

ALTER TABLE jobs ADD COLUMN changed xid8 NOT NULL DEFAULT pg_current_xact_id();
ALTER TABLE chunks ADD COLUMN changed xid8;

CREATE INDEX jobs_changed ON jobs ((account_id + 0), changed, id);
CREATE INDEX jobs_running ON jobs ((account_id + 0)) WHERE state = 'running';

CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed := pg_current_xact_id();
    RETURN NEW;
END
$$;

CREATE TRIGGER jobs_changed BEFORE UPDATE ON jobs FOR EACH ROW
    WHEN ((OLD.state, OLD.total, OLD.throttled_until, OLD.cancel_requested_at, OLD.error_code)
          IS DISTINCT FROM (NEW.state, NEW.total, NEW.throttled_until, NEW.cancel_requested_at, NEW.error_code))
    EXECUTE FUNCTION note_change();
