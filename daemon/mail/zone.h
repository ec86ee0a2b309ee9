/* Time zones of the system's zoneinfo database (RFC 9636).
 *
 * Read here and not through libical: its zones, tried against the whole database, are an hour or more off in some
 * hundred changes (Lord Howe, Chatham, Cairo, Santiago, the Azores; St John's in every summer after 2037), take 40 us a
 * question, and may be asked by one thread only, while both of the daemon's threads print dates.
 *
 * A zone is immutable, so all threads may use it. zone_find() keeps what it has read for the life of the program: a
 * zone's file is read once, and a new tzdata package counts from the next start. Only names that exist are kept.
 *
 * LIMITS  names as [A-Za-z0-9+_-], at most three parts and ZONE_NAME_MAX bytes, so no path and no POSIX string can be
 *         one; files of ZONE_FILE_MAX_BYTES; offsets within 26 hours. Files of version 1 (before 2005), "right/" zones,
 *         which count leap seconds, and "localtime", which is no zone's name, are refused. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

struct zone;

enum { ZONE_NAME_MAX = 64, ZONE_FILE_MAX_BYTES = 64 * 1024, ZONE_OFFSET_MAX_SEC = 26 * 3600 };

/* A stretch of time without a change. Seconds since the epoch, from inclusive, until exclusive; INT64_MIN and
 * INT64_MAX where there is no change before or after. */
struct zone_span {
    int64_t from_sec, until_sec;
    int offset_sec; /* east of UTC */
    bool is_dst;
    const char *abbreviation; /* lives as long as the zone */
};

/* NULL with errno ENOENT for a name we do not serve; with another where its file could not be read, as ENOMEM. */
const struct zone *zone_find(const char *name);
const char *zone_name(const struct zone *z);
/* The stretch that holds this moment. */
void zone_span(const struct zone *z, int64_t at_sec, struct zone_span *ret);

enum zone_fault { ZONE_OK, ZONE_IN_GAP, ZONE_DAY_SKIPPED };
/* Civil seconds (a UTC reading of the wall clock) to the epoch's. In the overlap of a change it is the first of both;
 * in the gap *ret_sec is the moment of the change, with ZONE_DAY_SKIPPED where the whole civil day is in the gap. */
enum zone_fault zone_to_utc(const struct zone *z, int64_t civil_sec, int64_t *ret_sec);

/* One of the two changes of each year that go on for ever: on the week-th (5: last) weekday (0: Sunday) of the month,
 * at_sec (may be negative, or more than a day) after its midnight by the clock that shows offset_before_sec. */
struct zone_rule {
    int month, week, weekday;
    int at_sec, offset_before_sec, offset_sec;
    bool is_dst;
    const char *abbreviation; /* from this change on */
};
/* The yearly rules, if the change before this moment and all that follow are theirs; ret[0] is in force at it. */
bool zone_rules(const struct zone *z, int64_t at_sec, struct zone_rule ret[2]);
/* When the rule's change comes in that year. */
int64_t zone_rule_in_year(const struct zone_rule *rule, int year);

/* For tests: a zone from the bytes of a file; NULL where they are damaged. To be freed. */
struct zone *zone_parse(const char *name, struct view file);
struct zone *zone_free(struct zone *z);
