-- name: chunk(account_id, id, first_index)^
-- The chunk that begins with this item, and its bytes. `state` is that of the chunk: a chunk that is ready may still be
-- halved. No row: there is none, or none yet. `body` null: its part was not kept.
SELECT c.first_index, c.items, c.skip, c.state,
    substring(p.body FROM c.byte_start + 1 FOR c.byte_end - c.byte_start) AS body
FROM chunks c
LEFT JOIN kept_parts p ON p.account_id = c.account_id AND p.job_id = c.job_id AND p.part = c.part
    AND c.state IN ('done', 'cancelled')
WHERE c.account_id = :account_id AND c.job_id = :id AND c.first_index = :first_index;
