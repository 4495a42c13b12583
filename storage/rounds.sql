-- name: begin(what, seconds)$
-- Begin a round of periodic work. Null: a worker began one less than `seconds` ago. A time in the future is of a clock that
-- was set back since, and does not count. The clock is read again after the lock of the row: of two workers at once, the
-- one that waited would take a time after its own for one in the future.
INSERT INTO rounds AS r (what, begun_at) VALUES (:what, clock_timestamp())
ON CONFLICT (what) DO UPDATE SET begun_at = clock_timestamp()
WHERE r.begun_at NOT BETWEEN clock_timestamp() - make_interval(secs => :seconds) AND clock_timestamp()
RETURNING true;
