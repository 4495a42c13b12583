-- One worker at a time also looks for waiting work, so the table gets the name of both uses. Its rows are not needed: without
-- them, a round begins a little earlier.

DROP TABLE prunings;

CREATE TABLE rounds (
    what     text PRIMARY KEY,
    begun_at timestamptz NOT NULL
);
