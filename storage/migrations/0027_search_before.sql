-- search_contacts takes one more argument: its file creates it again.
DROP FUNCTION IF EXISTS search_contacts(bigint, text, text, text, text, boolean, integer, integer, bigint);
