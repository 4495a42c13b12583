-- The message of a refusal may quote a client, with a NUL. A json column keeps its escape, which jsonb rejects.

ALTER TABLE resumable_uploads ALTER COLUMN refusal TYPE json;
