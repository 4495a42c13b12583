-- name: accept_small(account_id, stream, ids, operations, params, formats, layouts, parallels, request_ids, names, tags, file_names, dry_runs, parent_ids, submitters, idempotency_keys, traces, request_hashes, bodies, totals, chunk_jobs, first_indexes, starts, ends, items, durable)^
-- Store and accept jobs of a stream whose bodies have one part each, in the order of the arrays. `chunk_jobs` holds the
-- number of a chunk's job, from 1; an element of `tags` is the text of an array. Returns the place of the first one. COMMIT waits for the disk if `durable`.
WITH incoming AS MATERIALIZED (
    SELECT * FROM unnest(
        :ids::uuid[], :operations::text[], :params::text[], :formats::text[], :layouts::text[], :parallels::int[],
        :request_ids::text[], :names::text[], :tags::text[], :file_names::text[], :dry_runs::bool[], :parent_ids::uuid[], :submitters::text[], :idempotency_keys::text[],
        :traces::text[], :request_hashes::bytea[], :bodies::bytea[], :totals::int[]
    ) WITH ORDINALITY AS i (id, operation, params, format, layout, parallel, request_id, name, tags, file_name, dry_run,
        parent_id, submitted_by, idempotency_key, trace, request_hash, body, total, number)
), place AS MATERIALIZED (
    SELECT e.last_position - cardinality(:ids::uuid[]) AS before, e.pending - cardinality(:ids::uuid[]) AS ahead,
        now() AS received_at, clock_timestamp() AS accepted_at,
        -- until the end of this transaction, which is this statement
        set_config('synchronous_commit', CASE WHEN :durable THEN current_setting('synchronous_commit') ELSE 'off' END, true)
    FROM enter_stream(:account_id, :stream, cardinality(:ids::uuid[])) e
), job AS (
    INSERT INTO jobs (account_id, id, operation, params, stream, stream_position, state, format, layout, parallel,
        parts, split_parts, split_items, bytes, total, request_id, name, tags, file_name, dry_run, parent_id, submitted_by, idempotency_key,
        trace, request_hash, received_at, accepted_at)
    SELECT :account_id, i.id, i.operation, i.params::jsonb, :stream, p.before + i.number, 'queued', i.format, i.layout::jsonb,
        i.parallel, 1, 1, i.total, octet_length(i.body), i.total, i.request_id, i.name, i.tags::text[], i.file_name, i.dry_run,
        i.parent_id, i.submitted_by::jsonb, i.idempotency_key, i.trace, i.request_hash, p.received_at, p.accepted_at
    FROM incoming i CROSS JOIN place p
), part AS (
    INSERT INTO parts (account_id, job_id, part, body) SELECT :account_id, id, 0, body FROM incoming
), chunk AS (
    INSERT INTO chunks (account_id, job_id, part, first_index, byte_start, byte_end, items)
    SELECT :account_id, i.id, 0, c.first_index, c.byte_start, c.byte_end, c.items
    FROM unnest(:chunk_jobs::int[], :first_indexes::int[], :starts::int[], :ends::int[], :items::int[])
        c (number, first_index, byte_start, byte_end, items)
    JOIN incoming i ON i.number = c.number
)
SELECT ahead, received_at, accepted_at FROM place;
