-- Number the changes of contacts in the order in which they are applied, so that `settle` can tell which items were
-- applied out of order, and which changes over REST came after them.
--
-- Chunks that the previous release applied, before this migration or while it is being replaced, have no number. They
-- count as applied in the order of their items. Changes over REST by an api of the previous release are not recorded;
-- `settle` then leaves a field alone if its value is not the one that the job wrote last.

CREATE SEQUENCE applications;

ALTER TABLE chunks ADD applied bigint;

CREATE TABLE contact_changes (
    account_id bigint NOT NULL,
    contact_id bigint NOT NULL,
    applied    bigint NOT NULL,
    fields     jsonb NOT NULL,
    PRIMARY KEY (account_id, contact_id, applied)
);
