-- Every table is pruned by one worker at a time, however many workers run.

CREATE TABLE prunings (
    what     text PRIMARY KEY,
    begun_at timestamptz NOT NULL
);
