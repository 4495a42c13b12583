-- name: free_key(account_id, key)!
-- Free the idempotency key of an upload that has expired.
UPDATE resumable_uploads SET idempotency_key = NULL
WHERE account_id = :account_id AND idempotency_key = :key AND expires_at <= now();

-- name: create(account_id, id, operation, query, headers, length, token, idempotency_key, keep_seconds)^
-- Violates resumable_uploads_key if another upload has the key.
INSERT INTO resumable_uploads (account_id, id, operation, query, headers, length, token, idempotency_key, expires_at)
VALUES (:account_id, :id, :operation, :query, :headers::jsonb, :length, :token, :idempotency_key,
        now() + make_interval(secs => :keep_seconds))
RETURNING @columns@;

-- name: unfinished(account_id, most)$
-- The number of unfinished uploads, counted to `most`.
SELECT count(*) FROM (
    SELECT FROM resumable_uploads WHERE account_id = :account_id AND finished_at IS NULL AND expires_at > now() LIMIT :most
) u;

-- name: get(account_id, id)^
SELECT @columns@ FROM resumable_uploads WHERE account_id = :account_id AND id = :id AND expires_at > now();

-- name: by_key(account_id, key)^
SELECT @columns@ FROM resumable_uploads WHERE account_id = :account_id AND idempotency_key = :key AND expires_at > now();

-- name: page(account_id, before, size)
-- The unfinished uploads that are older than `before`, the newest first.
SELECT @columns@ FROM resumable_uploads
WHERE account_id = :account_id AND id < :before AND finished_at IS NULL AND expires_at > now()
ORDER BY id DESC LIMIT :size;

-- name: take_over(account_id, id, token)^
-- Make this request the only one that may append. The piece that an earlier request is storing is stored before, because it
-- locks the row, or not at all. No row: there is no such upload.
UPDATE resumable_uploads SET token = :token
WHERE account_id = :account_id AND id = :id AND expires_at > now()
RETURNING @columns@;

-- name: declare_length(account_id, id, token, length)$
-- Store the length, unless it is known. Returns the length; null: a newer request has taken over.
UPDATE resumable_uploads SET length = COALESCE(length, :length)
WHERE account_id = :account_id AND id = :id AND token = :token AND finished_at IS NULL
RETURNING length;

-- name: refuse(account_id, id, token, refusal, keep_seconds)$
-- End an upload whose bytes can be no job. Nothing can be appended to it any more. Null: it has ended, or a newer request has
-- taken over: the bytes of an older one do not count, unless all are there.
UPDATE resumable_uploads SET refusal = :refusal::json, finished_at = now(),
    expires_at = GREATEST(expires_at, now() + make_interval(secs => :keep_seconds))
WHERE account_id = :account_id AND id = :id AND (token = :token OR complete) AND finished_at IS NULL AND expires_at > now()
RETURNING id;

-- name: cancel(account_id, id, token)$
-- Let the upload expire now. Nothing can be appended to it any more. Null: there is no such upload.
UPDATE resumable_uploads SET expires_at = now(), token = :token, idempotency_key = NULL
WHERE account_id = :account_id AND id = :id AND expires_at > now()
RETURNING id;

-- name: lock(account_id, id)^
-- Lock the upload, so that one request at a time decides which job is made of it.
SELECT @columns@ FROM resumable_uploads WHERE account_id = :account_id AND id = :id AND expires_at > now() FOR UPDATE;

-- name: job_of(account_id, job_id)^
-- The job that a request makes, or has made: `final` if it was accepted or cancelled, `live` while the process lives that
-- makes it.
SELECT (accepted_at IS NOT NULL OR state = 'cancelled') AS final, (state = 'receiving' AND lease_until >= now()) AS live
FROM jobs WHERE account_id = :account_id AND id = :job_id;

-- name: forget_attempt(account_id, job_id)!
-- Delete the job of an attempt that failed, so that an upload leaves one job.
DELETE FROM jobs WHERE account_id = :account_id AND id = :job_id AND state = 'failed' AND accepted_at IS NULL;

-- name: begin(account_id, id, job_id, keep_seconds)!
-- Note the job of a new attempt. The caller has locked the upload. It does not expire meanwhile.
UPDATE resumable_uploads SET job_id = :job_id, expires_at = GREATEST(expires_at, now() + make_interval(secs => :keep_seconds))
WHERE account_id = :account_id AND id = :id;

-- name: finish(account_id, id, job_id, keep_seconds)$
-- End an upload whose job is accepted in this transaction. Null: another attempt has replaced this one, or it was cancelled.
UPDATE resumable_uploads SET finished_at = now(), expires_at = GREATEST(expires_at, now() + make_interval(secs => :keep_seconds))
WHERE account_id = :account_id AND id = :id AND job_id = :job_id AND finished_at IS NULL AND expires_at > now()
RETURNING id;
