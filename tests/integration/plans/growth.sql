-- Grow the tables around the account @account@: @contacts@ contacts of its own with members and opt-ins, a fifth as many
-- ended jobs, and other accounts with queued jobs that wait for their windows, and with ended ones.
INSERT INTO contacts (account_id, phone, external_id, name)
SELECT @account@, '+1212' || (2000000 + n), 'e' || n, 'Crowd ' || n FROM generate_series(1, @contacts@) n;

INSERT INTO memberships (account_id, kind, owner_id, contact_id)
SELECT account_id, kind, 99, id FROM contacts, unnest('{list,label,audience}'::text[]) kind
WHERE account_id = @account@ ON CONFLICT DO NOTHING;

INSERT INTO opt_ins (account_id, contact_id, channel_id, opted_in, by_contact)
SELECT account_id, id, channel_id, true, false FROM contacts, unnest('{@channels@}'::uuid[]) channel_id
WHERE account_id = @account@ AND phone LIKE '+1212%';

INSERT INTO accounts (name, item_limit) SELECT 'other ' || n, 100 FROM generate_series(1, @contacts@ / 50) n;

INSERT INTO api_keys (account_id, key_hash, id)
SELECT id, sha256(id::text::bytea), id FROM accounts WHERE name LIKE 'other %';

INSERT INTO account_turns (account_id, active, ready_at)
SELECT id, id % 2 = 0, now() + interval '1 hour' FROM accounts WHERE name LIKE 'other %';

INSERT INTO streams (account_id, stream, last_position, pending, ended_position)
SELECT id, 'contacts', 20, CASE WHEN id % 2 = 0 THEN 10 ELSE 0 END, CASE WHEN id % 2 = 0 THEN 10 ELSE 20 END
FROM accounts WHERE name LIKE 'other %'
UNION ALL
SELECT @account@, 'label:' || n, 1, 0, 1 FROM generate_series(10000, 10000 + @contacts@ / 50) n;

INSERT INTO jobs (account_id, id, operation, stream, stream_position, state, format, parallel, parts, split_parts, total,
    failed, request_id, accepted_at, finished_at)
SELECT account_id, gen_random_uuid(), 'contacts.upsert', 'contacts', n,
    CASE WHEN n > ended_position THEN 'queued' ELSE 'completed' END, 'ndjson', 4, 1, 1, 10, 0, 'crowd',
    now(), CASE WHEN n > ended_position THEN NULL ELSE now() END
FROM streams, generate_series(1, 20) n WHERE stream = 'contacts' AND account_id <> @account@ AND last_position = 20
UNION ALL
SELECT account_id, gen_random_uuid(), 'contacts.upsert', stream, last_position + n,
    CASE n % 2 WHEN 0 THEN 'completed' ELSE 'completed_with_errors' END, 'ndjson', 4, 1, 1, 10, n % 2, 'crowd', now(), now()
FROM streams, generate_series(1, CASE stream WHEN 'contacts' THEN @contacts@ / 5 ELSE 1 END) n
WHERE account_id = @account@ AND pending = 0;

UPDATE streams SET last_position = last_position + @contacts@ / 5, ended_position = last_position + @contacts@ / 5
WHERE account_id = @account@ AND stream = 'contacts';

INSERT INTO chunks (account_id, job_id, first_index, items, part, byte_start, byte_end, state, created, applied)
SELECT account_id, id, 0, 10, 0, 0, 4, CASE state WHEN 'queued' THEN 'ready' ELSE 'done' END, 10, 1
FROM jobs WHERE request_id = 'crowd';

INSERT INTO parts (account_id, job_id, part, body)
SELECT account_id, id, 0, 'body' FROM jobs WHERE request_id = 'crowd' AND state = 'queued';

INSERT INTO outcomes (account_id, job_id, first_index, outcomes, contact_ids)
SELECT account_id, job_id, first_index, array_fill(1::smallint, '{10}'), array_fill(1::bigint, '{10}')
FROM chunks WHERE state = 'done' ON CONFLICT DO NOTHING;

INSERT INTO before_images (account_id, job_id, field, contact_ids, old, new)
SELECT account_id, job_id, 'name', '{1}', '{x}', '{y}' FROM chunks WHERE state = 'done';

INSERT INTO single_changes (account_id, contact_id, caller, field)
SELECT account_id, id, '{"by": "key", "request_id": "crowd"}', 'name' FROM contacts WHERE account_id = @account@;

INSERT INTO outcome_changes (account_id, job_id, item_index, was, outcome)
SELECT account_id, id, 1, 1, 1 FROM jobs WHERE request_id = 'crowd' AND state <> 'queued';

INSERT INTO item_errors (account_id, job_id, item_index, code, message)
SELECT account_id, id, 1, 'invalid', 'wrong' FROM jobs WHERE request_id = 'crowd' AND state <> 'queued';

INSERT INTO error_counts (account_id, job_id, errors)
SELECT account_id, id, 1 FROM jobs WHERE request_id = 'crowd' AND state <> 'queued';

INSERT INTO grants (account_id, at, items, redis_at, postgres_at)
SELECT id, t, 1, t, t FROM accounts, generate_series(now() - interval '3 h' - interval '9 s', now() - interval '3 h', '1 s') t
UNION ALL
SELECT @limited@, now() - interval '4 h' - make_interval(secs => n), 1, now(), now() FROM generate_series(1, @contacts@ / 5) n
ON CONFLICT DO NOTHING;

INSERT INTO admissions (account_id, at, base_at, postgres_at, api_at)
SELECT account_id, at, at, postgres_at, postgres_at FROM grants ON CONFLICT DO NOTHING;

INSERT INTO contacts (account_id, phone)
SELECT id, '+1213' || (2000000 + n) FROM accounts, generate_series(1, 10) n WHERE name LIKE 'other %';

INSERT INTO contact_changes (account_id, contact_id, applied, fields)
SELECT account_id, id, 1, '{}' FROM contacts WHERE account_id <> @account@;

INSERT INTO teams (account_id, name) SELECT @account@, 'crowd ' || n FROM generate_series(1, @contacts@ / 50) n;
INSERT INTO labels (account_id, name) SELECT @account@, 'crowd ' || n FROM generate_series(1, @contacts@ / 50) n;
INSERT INTO contact_lists (account_id, name) SELECT @account@, 'crowd ' || n FROM generate_series(1, @contacts@ / 50) n;
INSERT INTO audiences (account_id, name) SELECT @account@, 'crowd ' || n FROM generate_series(1, @contacts@ / 50) n;

INSERT INTO webhooks (account_id, id, url, events, secret, due_at)
SELECT id, 'crowd', 'https://example.com', '{job.completed}', '', now() + interval '1 hour' FROM accounts WHERE name LIKE 'other %';

INSERT INTO webhook_deliveries (account_id, webhook_id, event, job_id, state, due_at, ended_at)
SELECT w.account_id, w.id, 'job.throttled', gen_random_uuid(),
    CASE n % 5 WHEN 0 THEN 'failed' WHEN 1 THEN 'waiting' ELSE 'delivered' END, now() + interval '1 hour',
    CASE WHEN n % 5 <> 1 THEN now() END
FROM webhooks w, generate_series(1, CASE w.account_id WHEN @account@ THEN @contacts@ / 50 ELSE 10 END) n
WHERE w.id IN ('crowd', 'steady', 'in-order');

-- what the next round of pruning does, without its dead rows
INSERT INTO job_counts AS c (account_id, tag, name, hour, operation, state, jobs)
SELECT account_id, tag, name, hour, operation, state, sum(jobs) FROM job_count_changes GROUP BY 1, 2, 3, 4, 5, 6
ON CONFLICT (account_id, tag, name, hour, operation, state) DO UPDATE SET jobs = c.jobs + EXCLUDED.jobs;
TRUNCATE job_count_changes;
