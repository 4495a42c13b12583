-- The accounts whose dry run is being applied now. A dry run holds locks on everything that its items touch, so
-- nothing else of the account is applied meanwhile: a worker that waited for these locks would serve nobody.
CREATE OR REPLACE VIEW running_dry_runs AS
SELECT account_id FROM jobs WHERE dry_run AND state = 'running' AND lease_until > now();
