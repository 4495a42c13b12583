-- A claim reads only the turns that are due, and the accounts that wait for their windows are woken by index. The
-- functions of a claim work on several chunks at once, and the view `claimable` has other columns.

DROP INDEX account_turns_next;
CREATE INDEX account_turns_next ON account_turns (virtual_time) WHERE active AND ready_at <= throttled_at;
CREATE INDEX account_turns_waiting ON account_turns (ready_at) WHERE ready_at > throttled_at;
CREATE INDEX account_turns_waiting_since ON account_turns (throttled_at) WHERE ready_at > throttled_at;

DROP VIEW IF EXISTS claimable;
DROP FUNCTION IF EXISTS lock_next_chunk(integer, boolean, boolean);
DROP FUNCTION IF EXISTS lease_chunk(bigint, uuid, integer, integer, integer, uuid, bigint, double precision, integer, boolean);
