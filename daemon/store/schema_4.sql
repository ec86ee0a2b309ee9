-- Version 3 to 4.

-- Deliveries are written once. delivery has a row for whoever has an outcome, and for each exception: left out, put off,
-- given back, tried again. Who has none is in audience, in order of subscribers, each once, in blocks: people holds for
-- each the distance to the one before and which of the lists and languages, as numbers of base 128. A block whose people
-- all have rows is removed.
CREATE TABLE audience (
    announcement INTEGER NOT NULL,
    last INTEGER NOT NULL,      -- subscriber of the block
    lists TEXT NOT NULL,        -- ids, with spaces between them
    languages TEXT NOT NULL,    -- codes, with spaces between them
    people BLOB NOT NULL,
    PRIMARY KEY (announcement, last)
) STRICT, WITHOUT ROWID;
-- How far the audience is claimed: those up to upto, and behind the run before, at that time. Who is behind the last run is
-- pending. Runs that reach no further than the blocks removed are removed with them.
CREATE TABLE claim_run (
    announcement INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    at INTEGER NOT NULL,        -- fixes Date of those who have no row
    PRIMARY KEY (announcement, upto)
) STRICT, WITHOUT ROWID;
ALTER TABLE announcement DROP COLUMN claim_cursor;
-- Given back; and what was pending before this version.
CREATE INDEX delivery_pending ON delivery (announcement, subscriber) WHERE state = 0;
