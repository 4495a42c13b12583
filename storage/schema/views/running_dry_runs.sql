-- The accounts that have a running dry run. A dry run holds locks on every row that its items touch. Nothing else
-- of the account is applied at the same time, because a worker that waits for these locks serves no account.
CREATE OR REPLACE VIEW running_dry_runs AS
SELECT account_id FROM jobs WHERE dry_run AND state = 'running' AND leased(lease_until);
