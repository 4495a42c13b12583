-- name: read(account_id, id, numbers)
-- The images of a job with these numbers, its changes of contacts. `old` and `new` have an element for each contact, JSON as
-- text, or are null if no contact had a value. One look-up per image: it is an array of up to 1,000 contacts.
SELECT i.number, i.field, i.at, i.contact_ids, COALESCE(i.old, i.old_json::text[]) AS old,
    COALESCE(i.new, i.new_json::text[]) AS new
FROM unnest(:numbers::text::bigint[]) w (number)
CROSS JOIN LATERAL (
    SELECT * FROM before_images
    WHERE account_id = :account_id AND job_id = :id AND number BETWEEN w.number AND w.number ORDER BY number OFFSET 0
) i;
