    IF differs & @bit@ <> 0 THEN -- @name@
        INSERT INTO before_images (account_id, job_id, field, contact_ids, old@json@, new@json@)
        SELECT o.account_id, job, '@name@', array_agg(o.id), array_agg(o.@name@@cast@), array_agg(n.@name@@cast@)
        FROM gone o JOIN changed n ON n.account_id = o.account_id AND n.id = o.id
        WHERE o.@name@ IS DISTINCT FROM n.@name@
        GROUP BY o.account_id;
    END IF;
