-- The streams of an account are served in turns.

ALTER TABLE account_turns ADD last_stream text;
DROP INDEX streams_pending;
CREATE INDEX streams_pending ON streams (account_id, stream) WHERE pending > 0;
