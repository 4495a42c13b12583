-- A job has a name, tags, and the name of the client's file.

ALTER TABLE jobs
    ADD name text COLLATE "C",
    ADD tags text[] NOT NULL DEFAULT '{}',
    ADD file_name text;
