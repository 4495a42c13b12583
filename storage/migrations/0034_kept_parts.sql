-- The rows of jobs with unknown_columns=keep, which their results repeat.
CREATE TABLE kept_parts (
    account_id bigint NOT NULL,
    job_id     uuid NOT NULL,
    part       integer NOT NULL,
    body       bytea NOT NULL,
    PRIMARY KEY (account_id, job_id, part)
);
