-- Version 1 to 2: filters and tags.

-- What the announcement's `only` says; the filter as it was understood lies in the bundle.
ALTER TABLE announcement ADD COLUMN only_text TEXT NOT NULL DEFAULT '';

-- A list's own words for its members (mail/tags.h): other lists' coordinators do not see them.
ALTER TABLE subscription ADD COLUMN tags TEXT NOT NULL DEFAULT '';

-- Opt-outs are counted for each list, and for each way.
CREATE INDEX consent_left ON consent (list, how) WHERE what = 'left';
