-- Whether a lease is held. False for null. A lease that ends later than any new one would was written before the clock
-- was set back; it counts as expired.
CREATE OR REPLACE FUNCTION leased(lease_until timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT COALESCE(lease_until > now() AND lease_until < now() + interval '@twice_the_longest_lease@ s', false)
$$;
