        IF '@name@' = ANY (fields) THEN
            @values@_before := CASE
                WHEN @is_json@ AND (SELECT sum(@size@) FROM gone) > @most_bytes@ THEN NULL
                ELSE (SELECT array_agg(@name@@cast@) FROM gone)
            END;
            @values@_after := CASE WHEN @values@_before IS NOT NULL THEN (SELECT array_agg(@name@@cast@) FROM changed) END;
            IF (GREATEST(pg_column_size(@values@_before), pg_column_size(@values@_after)) <= @most_bytes@) IS NOT TRUE THEN
                large := large || '@name@'::text;
            ELSIF @values@_before <> @values@_after THEN
                differing := ids;
                IF EXISTS (
                    SELECT FROM (SELECT unnest(@values@_before) AS old, unnest(@values@_after) AS new) c
                    WHERE c.old IS NOT DISTINCT FROM c.new
                ) THEN
                    SELECT array_agg(c.id), array_agg(c.old), array_agg(c.new)
                    INTO differing, @values@_before, @values@_after
                    FROM (SELECT unnest(ids) AS id, unnest(@values@_before) AS old, unnest(@values@_after) AS new) c
                    WHERE c.old IS DISTINCT FROM c.new;
                END IF;
                INSERT INTO before_images (account_id, job_id, field, contact_ids, old@json@, new@json@)
                VALUES (account, job, '@name@', differing, @values@_before, @values@_after);
            END IF;
        END IF;
