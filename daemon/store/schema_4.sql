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

-- Announcements that recur. The announcement itself is in state 9 (recurring); each of its dates becomes one of its own.
CREATE TABLE series (
    announcement INTEGER PRIMARY KEY,
    repeat TEXT NOT NULL,         -- as the draft says it (daemon/mail/recur.h)
    start TEXT NOT NULL,          -- the event's first date and its end, by the clock of zone
    end TEXT NOT NULL,
    zone TEXT NOT NULL,
    base TEXT NOT NULL,           -- dates up to this one were made by what this one replaces, or ''
    next TEXT NOT NULL,           -- the date that is made next
    before_days INTEGER NOT NULL, -- [announcement] send-before
    due INTEGER NOT NULL,         -- when it is made
    told TEXT NOT NULL            -- the date of which it was told that it cannot be made yet, or ''
) STRICT;
CREATE INDEX series_due ON series (due) WHERE due > 0;
ALTER TABLE announcement ADD COLUMN series INTEGER NOT NULL DEFAULT 0;  -- whose date it is, or 0
ALTER TABLE announcement ADD COLUMN occurrence TEXT NOT NULL DEFAULT ''; -- the date
CREATE UNIQUE INDEX announcement_occurrence ON announcement (series, occurrence) WHERE series <> 0;

-- Lists that follow a file: what is known of it.
CREATE TABLE followed (
    list INTEGER PRIMARY KEY,
    digest BLOB,                               -- of the content that the list has taken over
    at INTEGER NOT NULL DEFAULT 0,             -- when that was
    waiting BLOB,                              -- of one that would remove many, and waits to be accepted
    would_remove INTEGER NOT NULL DEFAULT 0,
    members INTEGER NOT NULL DEFAULT 0,        -- of so many
    accepted BLOB,                             -- of the one that somebody has accepted
    why TEXT NOT NULL DEFAULT ''               -- what is wrong with the file just now
) STRICT;

-- What came back for a delivery, the worst of it. held: a suppression that the circuit breaker keeps back.
CREATE TABLE returned (
    announcement INTEGER NOT NULL,
    subscriber INTEGER NOT NULL,
    at INTEGER NOT NULL,
    class TEXT NOT NULL,    -- hard, soft, complaint
    reason TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT '',
    text TEXT NOT NULL DEFAULT '',
    held INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (announcement, subscriber)
) STRICT, WITHOUT ROWID;
CREATE INDEX returned_subscriber ON returned (subscriber);
CREATE INDEX returned_held ON returned (announcement, subscriber) WHERE held = 1;
-- Failures of an address that are not final. Forgotten when nothing more comes.
CREATE TABLE returned_score (
    subscriber INTEGER PRIMARY KEY,
    address_key TEXT NOT NULL,      -- the score is this address's, not the person's next one
    count INTEGER NOT NULL,
    counted INTEGER NOT NULL,       -- the last that counted
    first_unknown INTEGER NOT NULL DEFAULT 0 -- the domain was unknown
) STRICT;
CREATE INDEX returned_score_counted ON returned_score (counted);
-- Hard ones of a run at a destination.
CREATE TABLE returned_run (
    announcement INTEGER NOT NULL,
    domain TEXT NOT NULL,
    hard INTEGER NOT NULL,
    size INTEGER NOT NULL DEFAULT 0, -- how many of the run were at the destination, when that was last looked at
    held INTEGER NOT NULL DEFAULT 0, -- when the circuit breaker opened
    held_to INTEGER NOT NULL DEFAULT 0,  -- hard ones were taken back and held up to that subscriber
    let_go_to INTEGER NOT NULL DEFAULT 0, -- the admin's decision was carried out up to that subscriber
    PRIMARY KEY (announcement, domain)
) STRICT, WITHOUT ROWID;
CREATE INDEX returned_run_held ON returned_run (held_to) WHERE held <> 0;
-- When the admin was last told of a destination.
CREATE TABLE returned_told (domain TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE returned_count (kind TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
-- What the mail door had ignored when that was last looked at (daemon/spool/ignored.h).
CREATE TABLE returned_ignored (id INTEGER PRIMARY KEY CHECK (id = 1), total INTEGER NOT NULL) STRICT;

-- The lists of an announcement, in the order in which it names them; announcement.list is the first. Names as they were.
CREATE TABLE announcement_list (
    announcement INTEGER NOT NULL,
    place INTEGER NOT NULL, -- from 0
    list INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (announcement, place)
) STRICT, WITHOUT ROWID;
INSERT INTO announcement_list (announcement, place, list, name) SELECT id, 0, list, list_name FROM announcement;
CREATE INDEX announcement_list_list ON announcement_list (list, announcement);

-- What was asked for at the web door and waits to be confirmed by mail (double opt-in). Those of one mail share a nonce.
CREATE TABLE sign_up (
    nonce BLOB NOT NULL,        -- in the token
    list INTEGER NOT NULL,      -- that is joined; of a change of address 0
    token_list INTEGER NOT NULL,
    subscriber INTEGER NOT NULL,-- who asked from their preferences, or 0
    address_key TEXT NOT NULL,
    address TEXT NOT NULL,
    given_name TEXT NOT NULL,
    family_name TEXT NOT NULL,
    language TEXT NOT NULL,
    version TEXT NOT NULL,      -- of the text that was agreed to
    wording TEXT NOT NULL,      -- the text
    source TEXT NOT NULL,       -- IP address
    at INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    message_id TEXT NOT NULL,   -- of the mail that asks
    request BLOB NOT NULL,      -- id of the record that asked
    PRIMARY KEY (nonce, list)
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_up_address ON sign_up (address_key);
CREATE INDEX sign_up_expires ON sign_up (expires);
-- What the limits count, for a day: who asked for mail to an address (its keyed hash), from which network.
CREATE TABLE asked (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    what TEXT NOT NULL,         -- confirm, link
    address BLOB NOT NULL,
    list INTEGER NOT NULL,
    network TEXT NOT NULL,
    due INTEGER NOT NULL        -- when the mail goes out
) STRICT;
CREATE INDEX asked_at ON asked (at);
CREATE INDEX asked_address ON asked (address, at);
CREATE INDEX asked_network ON asked (network, at);
CREATE INDEX asked_list ON asked (list, at);

-- When it was answered, where a restore could not repeat what followed; else 0.
ALTER TABLE sign_up ADD COLUMN answered INTEGER NOT NULL DEFAULT 0;

-- Erased people whose traces in the spool's requests are still to be removed.
CREATE TABLE forgetting (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    address_hash BLOB NOT NULL,
    subscriber INTEGER NOT NULL, -- or 0
    at INTEGER NOT NULL          -- what was applied later is of somebody who came back
) STRICT;
CREATE INDEX forgetting_address ON forgetting (address_hash);
CREATE INDEX forgetting_subscriber ON forgetting (subscriber);
-- Keyed hashes of the addresses that people had, as long as requests may name them.
CREATE TABLE former_address (
    subscriber INTEGER NOT NULL,
    address_hash BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (subscriber, address_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX former_address_at ON former_address (at);

-- What is asked for by time or state, of tables that may have millions of rows.
CREATE INDEX request_at ON request (at);
CREATE INDEX notice_claimed ON notice (id) WHERE state = 1;
CREATE INDEX sign_up_subscriber ON sign_up (subscriber) WHERE subscriber <> 0;

-- What became of an announcement's people, for each of its lists: that through which it reaches them.
ALTER TABLE announcement_list ADD COLUMN pending INTEGER NOT NULL DEFAULT 0;
ALTER TABLE announcement_list ADD COLUMN delivered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE announcement_list ADD COLUMN deferred INTEGER NOT NULL DEFAULT 0;
ALTER TABLE announcement_list ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE announcement_list ADD COLUMN in_doubt INTEGER NOT NULL DEFAULT 0;
ALTER TABLE announcement_list ADD COLUMN left_out INTEGER NOT NULL DEFAULT 0;
UPDATE announcement_list SET (pending, delivered, deferred, refused, in_doubt, left_out) = (
    SELECT pending, delivered, deferred, refused, in_doubt, left_out FROM announcement WHERE id = announcement);
