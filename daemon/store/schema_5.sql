-- Version 4 to 5.

-- Who left, as a restore repeated it of a backup that is older than the membership: a keyed hash of address_key, so that no
-- import brings them back.
CREATE TABLE opt_out (
    address_hash BLOB NOT NULL,
    list INTEGER NOT NULL,  -- 0: nothing at all is to be sent to the address
    at INTEGER NOT NULL,
    how TEXT NOT NULL,      -- as in consent
    PRIMARY KEY (address_hash, list)
) STRICT, WITHOUT ROWID;
