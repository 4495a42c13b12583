-- Count the ended jobs by state, hour, operation, tag and name, and list them by these, so that neither reads all jobs of an
-- account. The triggers also count what workers and apis of the previous release do. CREATE TRIGGER locks out writers until
-- the commit, so the first counts are exact.

CREATE TABLE job_history (
    account_id  bigint NOT NULL,
    tag         text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    operation   text NOT NULL,
    state       text NOT NULL,
    received_at timestamptz NOT NULL,
    job_id      uuid NOT NULL,
    PRIMARY KEY (account_id, tag, name, operation, state, received_at, job_id)
);

CREATE TABLE job_counts (
    account_id bigint NOT NULL,
    tag        text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    hour       timestamptz NOT NULL,
    operation  text NOT NULL,
    state      text NOT NULL,
    jobs       bigint NOT NULL,
    PRIMARY KEY (account_id, tag, name, hour, operation, state) INCLUDE (jobs)
);
CREATE INDEX job_counts_empty ON job_counts (account_id) WHERE jobs = 0;

CREATE TABLE job_count_changes (
    account_id bigint NOT NULL,
    tag        text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    number     bigint GENERATED ALWAYS AS IDENTITY,
    hour       timestamptz NOT NULL,
    operation  text NOT NULL,
    state      text NOT NULL,
    jobs       integer NOT NULL,
    PRIMARY KEY (account_id, tag, name, number)
);

CREATE FUNCTION count_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;  -- `migrate` replaces it before the commit
END
$$;
CREATE TRIGGER job_added AFTER INSERT ON jobs
    FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL) EXECUTE FUNCTION count_jobs();
CREATE TRIGGER job_ended AFTER UPDATE ON jobs
    FOR EACH ROW WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL) EXECUTE FUNCTION count_jobs();
CREATE TRIGGER job_removed AFTER DELETE ON jobs
    FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL) EXECUTE FUNCTION count_jobs();

INSERT INTO job_counts (account_id, tag, name, hour, operation, state, jobs)
SELECT j.account_id, t.tag, n.name, date_bin('1 hour', j.received_at, 'epoch'), j.operation, j.state, count(*)
FROM jobs j
CROSS JOIN LATERAL unnest(array_prepend('', j.tags)) t (tag)
CROSS JOIN LATERAL unnest(ARRAY['', j.name]) n (name)
WHERE j.finished_at IS NOT NULL AND n.name IS NOT NULL
GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO job_history (account_id, tag, name, operation, state, received_at, job_id)
SELECT j.account_id, t.tag, n.name, j.operation, j.state, j.received_at, j.id
FROM jobs j
CROSS JOIN LATERAL unnest(array_prepend('', j.tags)) t (tag)
CROSS JOIN LATERAL unnest(ARRAY['', j.name]) n (name)
WHERE j.finished_at IS NOT NULL AND n.name IS NOT NULL;
