-- Queue a delivery for each webhook that wants to hear that a job waits for its window, once for each episode: an episode
-- lasts until the job has not waited for the length of a window. A large job waits again after every grant.
CREATE OR REPLACE FUNCTION queue_throttling() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wanting text[];
    episode_end timestamptz;
BEGIN
    SELECT array_agg(w.id ORDER BY w.id) INTO wanting FROM webhooks w
    WHERE w.account_id = NEW.account_id AND w.state = 'on' AND 'job.throttled' = ANY (w.events);
    IF wanting IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT NEW.throttled_until + make_interval(secs => a.window_seconds) INTO episode_end
    FROM accounts a WHERE a.id = NEW.account_id;
    WITH going_on AS (
        UPDATE webhook_deliveries SET episode_until = episode_end
        WHERE account_id = NEW.account_id AND job_id = NEW.id AND event = 'job.throttled'
          AND webhook_id = ANY (wanting) AND episode_until >= clock_timestamp()
        RETURNING webhook_id
    )
    INSERT INTO webhook_deliveries (account_id, webhook_id, life, event, job_id, throttled_until, episode_until)
    SELECT NEW.account_id, h.webhook_id, w.life, 'job.throttled', NEW.id, NEW.throttled_until, episode_end
    FROM unnest(wanting) h (webhook_id)
    JOIN webhooks w ON w.account_id = NEW.account_id AND w.id = h.webhook_id
    WHERE h.webhook_id NOT IN (SELECT webhook_id FROM going_on);
    RETURN NULL;
END
$$;
