-- The number of item errors of a job is counted in the transaction that stores them.

CREATE TABLE error_counts (
    account_id bigint NOT NULL,
    job_id     uuid NOT NULL,
    errors     bigint NOT NULL,
    PRIMARY KEY (account_id, job_id)
);
INSERT INTO error_counts (account_id, job_id, errors)
SELECT c.account_id, c.job_id, sum(c.failed) FROM jobs j
JOIN chunks c ON c.account_id = j.account_id AND c.job_id = j.id
WHERE j.state IN ('queued', 'running') AND c.failed > 0
GROUP BY c.account_id, c.job_id;

ALTER TABLE jobs DROP COLUMN stored_errors;
