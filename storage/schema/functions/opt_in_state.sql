-- Return an opt-in as the text that images of it hold: 'in' or 'out', '_by_contact' if the contact itself set it, and since when
-- there is one.
CREATE OR REPLACE FUNCTION opt_in_state(opted_in boolean, by_contact boolean, created_at timestamptz) RETURNS text
LANGUAGE sql STABLE RETURN
    CASE WHEN opted_in THEN 'in' ELSE 'out' END || CASE WHEN by_contact THEN '_by_contact ' ELSE ' ' END || created_at;
