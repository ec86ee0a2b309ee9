/* Dates and times as people write them, in time zones (mail/zone.h), and said back in words.
 *
 * Everything here may be called from any thread.
 *
 * LIMITS  input of WHEN_INPUT_MAX bytes; years 1900 to 2200 are read, 0 to 9999 converted. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/view.h"

struct words;

enum { WHEN_INPUT_MAX = 100, WHEN_YEAR_MIN = 1900, WHEN_YEAR_MAX = 2200 };

/* A civil date, or date and time, without a zone. */
struct when {
    int year, month, day, hour, minute, second;
    bool has_time;
};

enum when_fault {
    WHEN_OK,
    WHEN_NOT_A_DATE,   /* not of a form we read */
    WHEN_NO_SUCH_DAY,  /* 31.2., a year out of bounds, a day that the zone left out */
    WHEN_NO_SUCH_TIME, /* 25:00, or in the gap of a clock change */
    WHEN_BAD_ZONE,
};

/* "2025-09-02 10:00", "2025-09-02T10:00", "2.9.2025 10:00", "02.09.2025, 10.00 Uhr", "2. 9. 2025 um 9h30";
 * "2/9/2025" is refused as ambiguous, and so are two-digit years and am/pm; a date alone has has_time false. */
enum when_fault when_parse(struct view v, struct when *ret);
/* "10:00", "10.00", "9h30", "9 h 30", "9 Uhr", "14:30:15": fills hour, minute and second only. */
enum when_fault when_parse_time(struct view v, struct when *ret);

/* A name of the zoneinfo database that we serve ("Europe/Berlin"); no paths, no POSIX strings. false with
 * errno as zone_find(). */
bool when_zone_exists(const char *zone);
/* Civil time in a zone to UTC. In the overlap of a clock change it is the first; in the gap WHEN_NO_SUCH_TIME. A date
 * alone counts as 00:00 (or the first instant of the day). */
enum when_fault when_to_usec(const struct when *w, const char *zone, int64_t *ret_usec);
/* -EINVAL on a bad zone, or a moment outside the years 0 to 9999. */
int when_from_usec(int64_t usec, const char *zone, struct when *ret);
/* Minutes east of UTC (cut to whole ones), and the zone's usual abbreviation ("CEST") at that moment. */
int when_offset(int64_t usec, const char *zone, int *ret_minutes, char ret_abbreviation[16]);
bool when_is_valid(const struct when *w);
int when_weekday(const struct when *w); /* 1 Monday … 7 Sunday */
/* Negative, 0, positive; a date alone is before any time of that day. */
int when_cmp(const struct when *a, const struct when *b);
/* Adds days to the civil date. */
void when_add_days(struct when *w, int days);

/* RFC 5322 date: "Tue, 02 Sep 2025 10:00:00 +0200". In UTC, "-0000", where the zone is bad. */
void when_print_rfc5322(int64_t usec, const char *zone, struct buf *to);
/* "Dienstag, 2. September 2025, 10:00 Uhr" in the language's words. */
void when_say(const struct words *words, const struct when *w, struct buf *to);
/* "Dienstag, 2. September 2025, 10:00 bis 15:30 Uhr"; several days, all-day and all-day ranges. An end that is not
 * behind the start is not said. */
void when_say_range(const struct words *words, const struct when *start, const struct when *end, struct buf *to);
/* The time alone, without its day: "10:00 Uhr". */
void when_say_time(const struct words *words, const struct when *w, struct buf *to);
