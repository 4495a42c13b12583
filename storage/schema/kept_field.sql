    -- @name@
    IF differs & @bit@ <> 0 THEN
        INSERT INTO before_images (account_id, job_id, field, contact_ids, old@json@, new@json@)
        SELECT account_id, job, '@name@', array_agg(id), array_agg(old), array_agg(new) FROM (
            SELECT o.account_id, o.id, o.@name@@cast@ AS old, n.@name@@cast@ AS new, @block@ AS block
            FROM gone o JOIN changed n ON n.account_id = o.account_id AND n.id = o.id
            WHERE o.@name@ IS DISTINCT FROM n.@name@
        ) c GROUP BY account_id, block;
    END IF;
