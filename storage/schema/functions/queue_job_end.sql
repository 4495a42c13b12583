-- Queue a delivery for each webhook of the account that wants to hear of the end of a job, in the transaction that ends it.
-- The triggers on jobs call it wherever a job ends; end_small_jobs does the same for many jobs at once.
CREATE OR REPLACE FUNCTION queue_job_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_deliveries (account_id, webhook_id, life, event, job_id)
    SELECT w.account_id, w.id, w.life, 'job.' || NEW.state, NEW.id FROM webhooks w
    WHERE w.account_id = NEW.account_id AND w.state = 'on' AND 'job.' || NEW.state = ANY (w.events)
    ORDER BY w.id;
    RETURN NULL;
END
$$;
