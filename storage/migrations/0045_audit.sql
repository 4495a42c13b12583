-- Who made a job, and who cancelled it: see schemas.callers.
ALTER TABLE jobs ADD submitted_by jsonb, ADD cancelled_by jsonb;
