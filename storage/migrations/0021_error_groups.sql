-- Group the item errors of each job by code and field, so that a page of a job need not read them all. The trigger also
-- counts what workers of the previous release store. CREATE TRIGGER locks out writers until the commit, so the first
-- groups are exact.

CREATE TABLE error_groups (
    account_id  bigint NOT NULL,
    job_id      uuid NOT NULL,
    first_index integer NOT NULL,
    code        text,
    field       text,
    errors      bigint NOT NULL,
    examples    integer[] NOT NULL,
    PRIMARY KEY (account_id, job_id, first_index)
);

CREATE FUNCTION group_errors() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;  -- `migrate` replaces it before the commit
END
$$;
CREATE TRIGGER item_errors_added AFTER INSERT ON item_errors REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION group_errors();

INSERT INTO error_groups (account_id, job_id, first_index, code, field, errors, examples)
SELECT account_id, job_id, min(item_index), code, field, count(*),
    array_agg(item_index ORDER BY item_index) FILTER (WHERE place <= 3)
FROM (
    SELECT account_id, job_id, item_index, code, field,
        row_number() OVER (PARTITION BY account_id, job_id, code, field ORDER BY item_index) AS place
    FROM item_errors
) numbered
GROUP BY account_id, job_id, code, field;
