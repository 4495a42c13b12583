-- A changed row that finds room on its page needs no new entries in the indexes. It applies to pages that are written from now on.
ALTER TABLE contacts SET (fillfactor = 70);
