-- name: page(first, after, beyond, size)
-- Ids of the accounts whose name, in small letters, is in the range from `first` to before `beyond`, in the order of
-- names. `after` is the account at which the page before ended; null: the first page.
WITH edge AS MATERIALIZED (
    SELECT COALESCE((SELECT lower(name) FROM accounts WHERE id = :after::bigint), :first::text) AS name,
        COALESCE(:after::bigint, 0) AS id
)
SELECT id FROM accounts
WHERE (lower(name) COLLATE "C", id) > ((SELECT name FROM edge) COLLATE "C", (SELECT id FROM edge))
  AND lower(name) COLLATE "C" < :beyond::text
ORDER BY lower(name) COLLATE "C", id
LIMIT :size;

-- name: loads(ids)
-- Accounts in the order of the ids, with their unfinished jobs, the items of these that are not applied yet, when the
-- job that waits longest was accepted, and what of both windows is used. A window is null if there is no limit.
SELECT a.id, a.name, a.region, a.phone_number_id, a.request_limit, a.item_limit, a.window_seconds, a.default_wait,
    a.keep_jobs_days, a.deleting_at, a.created_at, receiving.jobs AS receiving, unfinished.queued, unfinished.running, unfinished.items,
    unfinished.oldest_waiting_at, turn.throttled_until, contacts.contacts,
    CASE WHEN a.request_limit > 0 THEN admitted.requests END AS requests_used,
    CASE WHEN a.item_limit > 0 THEN granted.items END AS items_used
FROM unnest(:ids::bigint[]) WITH ORDINALITY n (id, place)
CROSS JOIN LATERAL (SELECT * FROM accounts o WHERE o.id = n.id OFFSET 0) a
CROSS JOIN LATERAL (
    SELECT count(*) AS jobs FROM (
        SELECT FROM jobs j WHERE j.account_id = a.id AND j.state = 'receiving' ORDER BY j.lease_until OFFSET 0) r
) receiving
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE j.state = 'queued') AS queued, count(*) FILTER (WHERE j.state = 'running') AS running,
        COALESCE(sum(j.items - applied.items), 0) AS items,
        min(j.accepted_at) FILTER (WHERE j.state = 'queued') AS oldest_waiting_at
    FROM (SELECT * FROM streams t WHERE t.account_id = a.id AND t.pending > 0 OFFSET 0) s
    CROSS JOIN LATERAL (
        SELECT h.id, h.state, h.accepted_at, COALESCE(h.total, h.split_items) AS items FROM jobs h
        WHERE h.account_id = a.id AND h.stream = s.stream AND h.state IN ('queued', 'running') AND h.stream_position > 0
          AND h.stream_position > s.ended_position -- skips the dead index entries of jobs that have ended
        ORDER BY h.stream_position OFFSET 0
    ) j
    CROSS JOIN LATERAL (
        SELECT COALESCE(sum(c.items), 0) AS items FROM chunks c
        WHERE j.state = 'running' AND c.account_id = a.id AND c.job_id = j.id AND c.state IN ('done', 'cancelled')
    ) applied
) unfinished
CROSS JOIN LATERAL (
    SELECT max(t.ready_at) AS throttled_until FROM account_turns t
    WHERE t.account_id = a.id AND t.active AND t.ready_at > t.throttled_at AND t.ready_at > now()
) turn
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(c.contacts), 0) AS contacts FROM contact_counts c WHERE c.account_id = a.id
) contacts
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(w.requests), 0) AS requests FROM admissions w
    WHERE w.account_id = a.id AND w.postgres_at > now() - make_interval(secs => a.window_seconds)
      AND w.at >= (SELECT max(at) FROM admissions m WHERE m.account_id = a.id) - make_interval(secs => a.window_seconds)
) admitted
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(w.items), 0) AS items FROM grants w
    WHERE w.account_id = a.id AND w.postgres_at > now() - make_interval(secs => a.window_seconds)
      AND w.at >= (SELECT max(at) FROM grants m WHERE m.account_id = a.id) - make_interval(secs => a.window_seconds)
) granted
ORDER BY n.place;
