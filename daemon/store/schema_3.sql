-- Version 2 to 3: erasure, and an end of what is kept.

-- Addresses whose person was erased: a keyed hash of address_key, so that no import brings them back by accident.
CREATE TABLE erased (
    address_hash BLOB PRIMARY KEY,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,       -- who did it
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- When its rows of delivery were removed; the counters stay. 0: they are there.
ALTER TABLE announcement ADD COLUMN purged INTEGER NOT NULL DEFAULT 0;

-- Who left, or was removed, and when.
CREATE INDEX subscription_gone ON subscription (since) WHERE state IN (3, 4);
