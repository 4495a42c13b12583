-- The contacts of an account whose name or phone matches its LIKE pattern, or whose phone is `p_phone`: their ids, newest
-- first, only ids below `p_before`, at most `p_most`. A null pattern or phone matches nothing. If `p_phone_start` is given, the contacts whose phones
-- start with it, and `p_phone_like` must be its pattern: a range of the index of phones, because ':' follows '9'.
-- Null: the caller must read all contacts of the account. `p_before` has a default for apis of an older release.
--
-- A frequent text has its `p_most` among the `p_newest` newest contacts. For a rare one, an index returns the contacts, in its
-- own order: up to `p_candidates`, if there is one that can help (`p_by_index`, and storage/entities/contact_search.sql).
-- If there are more, the text is frequent enough for a longer look at the newest contacts.
--
-- This is a function, because the planner cannot know how frequent a text is: each statement has one way that makes sense,
-- whatever the statistics say. `account_id + 0` is the expression of the index of names, which no other statement can use.
CREATE OR REPLACE FUNCTION search_contacts(
    p_account_id bigint, p_name_like text, p_phone_like text, p_phone text, p_phone_start text, p_by_index boolean,
    p_candidates integer, p_newest integer, p_most bigint, p_before bigint DEFAULT @max_id@
) RETURNS bigint[] LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = on SET enable_sort = off SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    newest integer := p_newest;
    candidates bigint[];
    found bigint[];
BEGIN
    LOOP
        IF newest > p_newest OR p_phone_start IS NULL THEN -- the index of phones is always there, and faster
            found := ARRAY(
                SELECT id FROM (
                    SELECT id, name, phone FROM contacts
                    WHERE account_id = p_account_id AND id < p_before ORDER BY id DESC LIMIT newest
                ) n
                WHERE lower(name) LIKE lower(p_name_like) OR phone LIKE p_phone_like OR phone = p_phone
                ORDER BY id DESC LIMIT p_most);
            IF cardinality(found) = p_most OR newest >= (
                SELECT COALESCE(sum(contacts), 0) FROM contact_counts WHERE account_id = p_account_id
            ) THEN
                RETURN found;
            END IF;
        END IF;
        EXIT WHEN newest > p_newest;
        IF p_phone_start IS NOT NULL THEN
            candidates := ARRAY(
                SELECT id FROM contacts
                WHERE account_id = p_account_id AND phone >= p_phone_start AND phone < p_phone_start || ':'
                ORDER BY phone LIMIT p_candidates + 1);
        ELSIF p_by_index AND EXISTS (
            SELECT FROM pg_index WHERE indexrelid = to_regclass('contacts_search') AND indisvalid
        ) THEN
            -- one condition each: for an OR, a planner without statistics reads all contacts of the account
            candidates := ARRAY(
                (SELECT id FROM contacts WHERE account_id + 0 = p_account_id AND lower(name) LIKE lower(p_name_like)
                    LIMIT p_candidates + 1)
                UNION
                (SELECT id FROM contacts WHERE account_id + 0 = p_account_id AND phone || '' LIKE p_phone_like
                    LIMIT p_candidates + 1)
                UNION
                (SELECT id FROM contacts WHERE account_id + 0 = p_account_id AND phone || '' LIKE p_phone
                    LIMIT p_candidates + 1));
        END IF;
        EXIT WHEN candidates IS NULL;
        IF cardinality(candidates) <= p_candidates THEN
            RETURN ARRAY(SELECT id FROM unnest(candidates) AS c (id) WHERE id < p_before ORDER BY id DESC LIMIT p_most);
        END IF;
        newest := @longer_look@ * p_newest;
    END LOOP;
    RETURN NULL;
END
$$;
