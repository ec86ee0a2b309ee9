-- The store, version 1; schema_2.sql and its successors bring it further. Times are microseconds since the epoch, UTC. Ids
-- of subscribers and announcements are never used again: AUTOINCREMENT, with the epoch in the bits above 40 (meta
-- 'epoch'); those of subscribers are given out by person_next_id(), which keeps them in sqlite_sequence too, once for
-- many.
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;

-- What a list's section must go on meaning: tokens name the id, mail programs the List-Id.
CREATE TABLE list_pin (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, list_id TEXT NOT NULL) STRICT;

-- A person is one address. address_key is the compared form (folded, NFC, domain in A-labels).
CREATE TABLE subscriber (
    id INTEGER PRIMARY KEY,
    address_key TEXT NOT NULL UNIQUE,
    address TEXT NOT NULL,          -- as it is sent to; '' where that is address_key
    language TEXT NOT NULL DEFAULT '',
    form TEXT NOT NULL DEFAULT '',  -- a key of [forms], 'f & m' for two people, or ''
    title TEXT NOT NULL DEFAULT '',
    given_name TEXT NOT NULL DEFAULT '',
    family_name TEXT NOT NULL DEFAULT '',
    salutation TEXT NOT NULL DEFAULT '',
    organisation TEXT NOT NULL DEFAULT '',
    timezone TEXT NOT NULL DEFAULT '',
    attributes TEXT NOT NULL DEFAULT '', -- lines "name<TAB>value", sorted by name
    import INTEGER NOT NULL DEFAULT 0,   -- the import that brought the person, 0 for none
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL        -- 0: not since then
) STRICT;

-- state: 1 pending, 2 active, 3 left (the person's act), 4 removed (ours, reversible).
CREATE TABLE subscription (
    list INTEGER NOT NULL,
    subscriber INTEGER NOT NULL,
    state INTEGER NOT NULL,
    import INTEGER NOT NULL DEFAULT 0,
    since INTEGER NOT NULL,
    key_id INTEGER NOT NULL DEFAULT 0, -- of the kept signature
    signature BLOB,                    -- of the recipient token, made once
    PRIMARY KEY (list, subscriber)
) STRICT, WITHOUT ROWID;

CREATE TABLE suppression (
    address_key TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

-- Imports become visible by their state: 1 open, 2 done, 3 failed (being swept). At most one is open.
CREATE TABLE import (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    list INTEGER NOT NULL,
    state INTEGER NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER,
    by TEXT NOT NULL,
    file TEXT NOT NULL,
    basis TEXT NOT NULL,
    evidence TEXT NOT NULL,
    first_subscriber INTEGER NOT NULL, -- ids of what it brings are not below these
    first_consent INTEGER NOT NULL,
    rows INTEGER NOT NULL DEFAULT 0,
    added INTEGER NOT NULL DEFAULT 0,
    known INTEGER NOT NULL DEFAULT 0,
    changed INTEGER NOT NULL DEFAULT 0,
    left_out INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX import_hidden ON import (state) WHERE state <> 2;
-- Who was known already when an open import met them, and what it will change; applied when it is done.
CREATE TABLE import_change (
    import INTEGER NOT NULL,
    subscriber INTEGER NOT NULL,
    returns INTEGER NOT NULL, -- 1: the subscription becomes active again
    fields TEXT NOT NULL,     -- lines "column<TAB>value"
    PRIMARY KEY (import, subscriber)
) STRICT, WITHOUT ROWID;

-- The consent record, append-only. A subscription brought by an import has its first entry in import instead, unless
-- its row carried a consent of its own.
CREATE TABLE consent (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subscriber INTEGER NOT NULL,
    list INTEGER NOT NULL,      -- 0: all lists
    at INTEGER NOT NULL,
    what TEXT NOT NULL,         -- subscribed, left, undone, removed, restored, changed, suppressed, unsuppressed
    how TEXT NOT NULL,          -- import, command, link, one-click, mail, phone, letter
    origin TEXT NOT NULL DEFAULT '',   -- who or where from
    basis TEXT NOT NULL DEFAULT '',
    evidence TEXT NOT NULL DEFAULT '', -- exact wording
    request BLOB,                      -- id of the request record that did it
    import INTEGER NOT NULL DEFAULT 0  -- the import whose row said so, 0 for none
) STRICT;
CREATE INDEX consent_subscriber ON consent (subscriber, id);

-- Records of request files that were applied; a record acts once.
CREATE TABLE request (id BLOB PRIMARY KEY, at INTEGER NOT NULL, result TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- state: 1 intake, 2 held, 3 scheduled, 4 gathering (the audience is being written), 5 sending, 6 paused, 7 done,
-- 8 stopped. resume_state is what a pause interrupted, and what an intake is to become.
CREATE TABLE announcement (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,            -- of the file or folder, without ending
    list INTEGER NOT NULL,
    list_name TEXT NOT NULL,
    subject TEXT NOT NULL,         -- in the list's language
    state INTEGER NOT NULL,
    resume_state INTEGER NOT NULL DEFAULT 0,
    why TEXT NOT NULL DEFAULT '',
    identity BLOB NOT NULL,        -- digest of all files
    event_uid TEXT NOT NULL DEFAULT '',
    event_sequence INTEGER NOT NULL DEFAULT 0,
    event_end INTEGER NOT NULL DEFAULT 0,
    by TEXT NOT NULL,
    created INTEGER NOT NULL,
    send_at INTEGER NOT NULL,      -- 0: at once after release
    send_until INTEGER NOT NULL,   -- 0: fixed when it starts
    released INTEGER, started INTEGER, finished INTEGER,
    gather_cursor INTEGER NOT NULL DEFAULT 0,
    claim_cursor INTEGER NOT NULL DEFAULT 0, -- nothing up to this subscriber is pending
    total INTEGER NOT NULL DEFAULT 0,
    pending INTEGER NOT NULL DEFAULT 0,   -- claimed ones included
    delivered INTEGER NOT NULL DEFAULT 0,
    deferred INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0,
    in_doubt INTEGER NOT NULL DEFAULT 0,
    left_out INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX announcement_state ON announcement (state);
CREATE INDEX announcement_name ON announcement (list, name);

-- One row for each recipient of a released announcement.
-- state: 0 pending, 1 claimed, 2 delivered, 3 deferred, 4 refused, 5 in doubt, 6 left out.
CREATE TABLE delivery (
    announcement INTEGER NOT NULL,
    subscriber INTEGER NOT NULL,
    list INTEGER NOT NULL,
    language TEXT NOT NULL,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due INTEGER,                    -- deferred and in doubt: when to try again
    first_claim INTEGER,            -- fixes Date
    at INTEGER,                     -- of the outcome
    code INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL DEFAULT '',
    text TEXT NOT NULL DEFAULT '',  -- the reply, or why left out
    relay TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (announcement, subscriber)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_due ON delivery (announcement, due) WHERE due IS NOT NULL AND state IN (3, 5);
CREATE INDEX delivery_claimed ON delivery (announcement, subscriber) WHERE state = 1;

-- System mail: same claims, outcomes and limits. state as in delivery.
CREATE TABLE notice (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,             -- proof, test, finished, rejected, alert, ...
    announcement INTEGER NOT NULL DEFAULT 0,
    sender TEXT NOT NULL,           -- [sender NAME]
    relays TEXT NOT NULL DEFAULT '',-- names, comma-separated; '' for all
    recipient TEXT NOT NULL,        -- address as sent
    message BLOB NOT NULL,          -- whole, CRLF
    created INTEGER NOT NULL,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due INTEGER,
    at INTEGER,
    code INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL DEFAULT '',
    text TEXT NOT NULL DEFAULT '',
    relay TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX notice_due ON notice (due) WHERE due IS NOT NULL;

-- Messages handed to a relay, by hour, for daily limits.
CREATE TABLE relay_usage (
    relay TEXT NOT NULL, hour INTEGER NOT NULL, messages INTEGER NOT NULL, PRIMARY KEY (relay, hour)
) STRICT, WITHOUT ROWID;
