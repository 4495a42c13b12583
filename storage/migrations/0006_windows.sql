-- The admission window is decided in PostgreSQL. A grant of the item window keeps the readings of both clocks.

DROP FUNCTION IF EXISTS lease_chunk(bigint, uuid, integer, integer, integer, timestamptz, uuid, bigint, double precision,
    integer);

ALTER TABLE grants ADD redis_at timestamptz, ADD postgres_at timestamptz;
UPDATE grants SET redis_at = at, postgres_at = at;
ALTER TABLE grants ALTER redis_at SET NOT NULL, ALTER postgres_at SET NOT NULL;

CREATE TABLE admissions (
    account_id  bigint NOT NULL,
    at          timestamptz NOT NULL,
    base_at     timestamptz NOT NULL,
    postgres_at timestamptz NOT NULL,
    api_at      timestamptz NOT NULL,
    requests    integer NOT NULL DEFAULT 1,
    PRIMARY KEY (account_id, at)
);

-- What the window counted until now. A window is at most a day long.
INSERT INTO admissions (account_id, at, base_at, postgres_at, api_at)
SELECT DISTINCT account_id, accepted_at, accepted_at, accepted_at, accepted_at FROM jobs
WHERE accepted_at > now() - interval '1 day';
