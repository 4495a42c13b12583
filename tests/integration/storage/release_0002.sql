-- Unfinished work of release 0.1.0 at revision 0002. Job 1 has a done chunk, a chunk whose worker died, and a ready
-- chunk. Job 2 is a dry run whose worker died.

CREATE TABLE alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY);
INSERT INTO alembic_version VALUES ('0002');

INSERT INTO accounts (name) VALUES ('old');
INSERT INTO account_turns (account_id, active) VALUES (1, true);
INSERT INTO streams (account_id, stream, last_position, pending) VALUES (1, 'contacts', 1, 1), (1, 'dry', 1, 1);

INSERT INTO jobs (account_id, id, operation, stream, stream_position, state, format, parallel, parts, split_parts,
    split_items, total, request_id, accepted_at, started_at, dry_run, lease_until)
VALUES
    (1, '00000000-0000-0000-0000-000000000001', 'contacts.upsert', 'contacts', 1, 'running', 'ndjson', 1, 1, 1,
     9, 9, 'req', now(), now(), false, NULL),
    (1, '00000000-0000-0000-0000-000000000002', 'contacts.upsert', 'dry', 1, 'running', 'ndjson', 1, 1, 1,
     9, 9, 'req', now(), now(), true, now() - interval '1 hour');

-- Nine items of equal length in three chunks of three items.
INSERT INTO parts (account_id, job_id, part, body)
SELECT account_id, id, 0, convert_to((
    SELECT string_agg(format(E'{"phone": "+1212555000%s", "name": "Name %s"}\n', n, n), '' ORDER BY n)
    FROM generate_series(0, 8) n), 'UTF8')
FROM jobs;
INSERT INTO chunks (account_id, job_id, first_index, items, part, byte_start, byte_end)
SELECT account_id, job_id, n * 3, 3, 0, n * length(body) / 3, (n + 1) * length(body) / 3
FROM parts, generate_series(0, 2) n;

INSERT INTO contacts (account_id, phone, name)
SELECT 1, '+1212555000' || n, 'Name ' || n FROM generate_series(0, 2) n;
INSERT INTO outcomes (account_id, job_id, first_index, outcomes, contact_ids)
SELECT account_id, id, 0, '{1,1,1}', ARRAY(SELECT id FROM contacts ORDER BY phone) FROM jobs WHERE NOT dry_run;
UPDATE chunks c SET state = 'done', created = 3, token = 1
FROM jobs j WHERE j.id = c.job_id AND NOT j.dry_run AND c.first_index = 0;
UPDATE chunks c SET state = 'running', token = 1, worker_id = gen_random_uuid(),
    lease_until = now() - interval '1 hour'
FROM jobs j WHERE j.id = c.job_id AND NOT j.dry_run AND c.first_index = 3;
