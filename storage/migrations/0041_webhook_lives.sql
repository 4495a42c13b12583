-- A webhook that is made again under an id is another one: a job that ended while the first one was deleted is not told to it.
-- Errors of ours that delay a delivery are counted beside the attempts. Old workers may still record attempts: the new
-- argument has a default. The two indexes hold each delivery once, as the one did that they replace.
ALTER TABLE webhooks ADD life uuid NOT NULL DEFAULT gen_random_uuid();
ALTER TABLE webhook_deliveries ADD life uuid;
ALTER TABLE webhook_deliveries ADD faults integer NOT NULL DEFAULT 0;
DROP INDEX webhook_deliveries_created;
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (created_at) WHERE ended_at IS NOT NULL;
CREATE INDEX webhook_deliveries_left ON webhook_deliveries (created_at) WHERE ended_at IS NULL;
DROP FUNCTION IF EXISTS claim_deliveries(bigint[], bigint[], double precision);
DROP FUNCTION IF EXISTS record_attempt(bigint, text, bigint, bigint, text, double precision, boolean, jsonb);
