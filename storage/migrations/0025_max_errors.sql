-- A client may limit the item errors of a job to a percentage of its applied items.
ALTER TABLE error_counts ADD items bigint NOT NULL DEFAULT 0;
