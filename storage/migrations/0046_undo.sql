-- What a note of a result is about, and the jobs that undo a job.
ALTER TABLE outcomes ADD fields jsonb;
CREATE INDEX jobs_undoing ON jobs ((params ->> 'undoes')) WHERE params ->> 'undoes' IS NOT NULL;
