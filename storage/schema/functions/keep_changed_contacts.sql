-- Keep what an UPDATE changed in contacts. Its trigger calls this function once per statement: `gone` holds the rows before,
-- `changed` those after. The setting bulklane.change says who changes them: the id of a job, whose changes become
-- before_images; 'staged', if each contact was staged for its job; an object, for a single change over REST, which becomes
-- single_changes; empty, if nothing is kept. Only fields that differ are stored. The settings are why it joins by hash: the
-- plans are made while the tables are small, and without them a session joins by indexes, which these rows do not have.
CREATE OR REPLACE FUNCTION keep_changed_contacts() RETURNS trigger LANGUAGE plpgsql
SET enable_hashjoin = on SET enable_nestloop = off AS $$
#variable_conflict use_column
DECLARE
    change  text := COALESCE(current_setting('bulklane.change', true), '');
    job     uuid;
    differs bigint;                                         -- a bit for each field that differs in some contact
    many    boolean;                                        -- what differs in one field may need several images
BEGIN
    IF change = '' THEN
        RETURN NULL;
    ELSIF change LIKE '{%' THEN
        INSERT INTO single_changes (account_id, contact_id, caller, field, old, new)
        SELECT o.account_id, o.id, change::jsonb, f.key, NULLIF(f.value, 'null'), NULLIF(to_jsonb(n) -> f.key, 'null')
        FROM gone o JOIN changed n ON n.account_id = o.account_id AND n.id = o.id CROSS JOIN LATERAL jsonb_each(to_jsonb(o)) f
        WHERE f.key <> 'updated_at' AND f.value IS DISTINCT FROM to_jsonb(n) -> f.key;
        RETURN NULL;
    ELSIF change <> 'staged' THEN
        job := change::uuid;
        SELECT bit_or(@differs@), count(*) > @most_contacts@ INTO differs, many
        FROM gone o JOIN changed n ON n.account_id = o.account_id AND n.id = o.id;
        IF differs & @json_bits@ <> 0 AND NOT many THEN
            SELECT sum(@json_bytes@) > @most_bytes@ INTO many
            FROM gone o JOIN changed n ON n.account_id = o.account_id AND n.id = o.id;
        END IF;
    END IF;
    IF job IS NULL OR many THEN
        -- all fields by one statement
        INSERT INTO before_images (account_id, job_id, field, contact_ids, old, new, old_json, new_json)
        SELECT account_id, job_id, field, array_agg(id),
            CASE WHEN NOT is_json THEN array_agg(old) END, CASE WHEN NOT is_json THEN array_agg(new) END,
            CASE WHEN is_json THEN array_agg(old_json) END, CASE WHEN is_json THEN array_agg(new_json) END
        FROM (
            SELECT o.account_id, o.id, COALESCE(job, s.job_id) AS job_id, f.*, f.field IN (@json_fields@) AS is_json,
                @block@ AS block
            FROM gone o
            JOIN changed n ON n.account_id = o.account_id AND n.id = o.id
            LEFT JOIN stage_contacts s ON s.account_id = o.account_id AND s.phone = o.phone AND job IS NULL
            CROSS JOIN LATERAL (VALUES @before_and_after@) f (field, old, new, old_json, new_json)
            WHERE f.old IS DISTINCT FROM f.new OR f.old_json IS DISTINCT FROM f.new_json
        ) c
        GROUP BY account_id, job_id, field, is_json, block;
        RETURN NULL;
    END IF;
@kept_fields@    RETURN NULL;
END
$$;
