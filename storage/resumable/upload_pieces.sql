-- name: append(account_id, id, token, start, body, complete)$
-- Store the next piece, and with `complete` that it is the last one. A last row of less than @join_bytes@ bytes grows, so all
-- rows but the last one have at least as many, however little each request brings. Returns the new offset. Null, and nothing is stored: a
-- newer request has taken over, or the upload has ended. To say that no byte follows, a request need not be the newest one:
-- several may say so at once.
WITH mine AS (
    UPDATE resumable_uploads SET arrived = arrived + octet_length(:body::bytea), complete = :complete
    WHERE account_id = :account_id AND id = :id AND arrived = :start
      AND (token = :token OR (:complete AND octet_length(:body::bytea) = 0))
      AND NOT complete AND finished_at IS NULL AND expires_at > now()
    RETURNING account_id, id, arrived
), small AS MATERIALIZED (
    SELECT last.start FROM mine
    CROSS JOIN LATERAL (
        SELECT start, octet_length(body) AS bytes FROM upload_pieces WHERE account_id = mine.account_id AND upload_id = mine.id
        ORDER BY start DESC LIMIT 1
    ) last
    WHERE last.bytes < @join_bytes@
), joined AS (
    UPDATE upload_pieces p SET body = p.body || :body::bytea FROM small
    WHERE p.account_id = :account_id AND p.upload_id = :id AND p.start = small.start AND octet_length(:body::bytea) > 0
), piece AS (
    INSERT INTO upload_pieces (account_id, upload_id, start, body)
    SELECT account_id, id, :start, :body FROM mine WHERE octet_length(:body::bytea) > 0 AND NOT EXISTS (SELECT FROM small)
)
SELECT arrived FROM mine;

-- name: read(account_id, id, start)$
SELECT body FROM upload_pieces WHERE account_id = :account_id AND upload_id = :id AND start = :start;

-- name: removable(uploads)
-- Up to `uploads` uploads of all accounts that have ended and may still have pieces.
SELECT account_id, id FROM resumable_uploads
WHERE has_pieces AND LEAST(finished_at, expires_at) <= now()
ORDER BY LEAST(finished_at, expires_at) LIMIT :uploads;

-- name: remove(account_id, id, rows)$
-- Delete up to `rows` pieces. Returns their number.
WITH gone AS (
    DELETE FROM upload_pieces WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM upload_pieces WHERE account_id = :account_id AND upload_id = :id LIMIT :rows))
    RETURNING 1
)
SELECT count(*) FROM gone;

-- name: removed(account_id, id)!
-- Note that the upload has no pieces. Nothing can be appended to an upload that has ended.
UPDATE resumable_uploads SET has_pieces = false WHERE account_id = :account_id AND id = :id;

-- name: forget_expired(rows)$
-- Delete up to `rows` uploads that have expired and have no pieces. Returns their number.
WITH gone AS (
    DELETE FROM resumable_uploads WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM resumable_uploads WHERE NOT has_pieces AND expires_at <= now()
        ORDER BY expires_at LIMIT :rows FOR UPDATE SKIP LOCKED))
    RETURNING 1
)
SELECT count(*) FROM gone;
