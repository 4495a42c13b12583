-- Keep what an UPDATE changed in contacts. Its trigger calls this function once per statement: `gone` holds the rows before,
-- `changed` those after. The setting bulklane.change says who changes them: the id of a job, whose changes become
-- before_images; 'staged', if each contact was staged for its job; an object, for a single change over REST, which becomes
-- single_changes; empty, if nothing is kept. Only fields that differ are stored. A statement that can change only a few
-- fields may name them in the setting bulklane.fields. This function empties it, so it is valid for one statement.
--
-- What up to @most_contacts@ contacts had and have in a field is read as two arrays. An UPDATE adds a contact to `gone` and to
-- `changed` at the same time, so the values have the same order, which their ids confirm. To join the two costs twice as much.
-- Large JSON values are joined all the same: arrays of them would take hundreds of megabytes.
-- Where this function joins, its settings have it join by hash: the plans are made while the tables are small, and without them
-- a session joins by indexes, which these rows do not have.
CREATE OR REPLACE FUNCTION keep_changed_contacts() RETURNS trigger LANGUAGE plpgsql
SET enable_hashjoin = on SET enable_nestloop = off AS $$
#variable_conflict use_column
DECLARE
    change       text := COALESCE(current_setting('bulklane.change', true), '');
    fields       text[] := string_to_array(NULLIF(current_setting('bulklane.fields', true), ''), ' ');
    account      bigint;
    job          uuid;
    ids          bigint[];                                  -- of the changed contacts
    differing    bigint[];                                  -- of those that differ in a field
    texts_before text[];
    texts_after  text[];
    json_before  jsonb[];
    json_after   jsonb[];
    large        text[];                                    -- the fields that need several images; null: all may
BEGIN
    IF fields IS NOT NULL THEN
        PERFORM set_config('bulklane.fields', '', true);
    END IF;
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
        SELECT min(account_id), array_agg(id) INTO account, ids
        FROM (SELECT account_id, id FROM gone LIMIT @most_contacts@ + 1) o;
        IF ids IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    IF cardinality(ids) <= @most_contacts@ AND ids = (SELECT array_agg(id) FROM changed) THEN
        IF fields IS NULL THEN
            SELECT array_remove(ARRAY[@differing@], NULL) INTO fields
            FROM gone o JOIN changed n ON n.account_id = o.account_id AND n.id = o.id;
        END IF;
        large := '{}';
@kept_fields@    END IF;
    IF large IS NULL OR large <> '{}' THEN
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
            WHERE (f.old IS DISTINCT FROM f.new OR f.old_json IS DISTINCT FROM f.new_json)
              AND (large IS NULL OR f.field = ANY (large))
        ) c
        GROUP BY account_id, job_id, field, is_json, block;
    END IF;
    RETURN NULL;
END
$$;
