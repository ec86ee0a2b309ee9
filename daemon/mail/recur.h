/* When an event comes again: the dates that a repetition (mail/repeat.h) gives, from the event's first date on.
 *
 * FORM    TEXT as a draft has it: "yearly", or a rule as repeat_parse() takes it, and behind it, each after a blank and
 *         both from calendar files only, "+DATE,DATE…" for dates that are added (RDATE) and "-DATE,DATE…" for those left
 *         out (EXDATE), as 20250902T100000 by the clock of the event's zone, or 20250902. Dates alone behind + or - may
 *         stand for an event with a time: at its time, and the whole day.
 *
 * RULES   RFC 5545 §3.3.10. The event's own date is always the first, whatever the rule says, and COUNT counts it. A day
 *         that a month does not have is no date of a rule; but of the plain words yearly and monthly it is the month's
 *         last day (SKIP=BACKWARD of RFC 7529): 29 February comes on 28 February where there is no other, the 31st on
 *         the 30th. All by the clock on the wall: what a change of clocks does to a date is the caller's.
 *
 * LIMITS  RECUR_DATES_MAX dates added and left out each; nothing after the year WHEN_YEAR_MAX. A search looks at each
 *         day up to there once, at most, and allocates nothing. */
#pragma once
#include <stddef.h>

#include "base/why.h"
#include "mail/when.h"

enum { RECUR_DATES_MAX = 200, RECUR_ITEMS_MAX = 31, RECUR_TEXT_MAX_BYTES = 8192 };

struct recurrence {
    struct when start;
    bool has_rule; /* else only the dates added */
    enum recur_frequency { RECUR_DAILY, RECUR_WEEKLY, RECUR_MONTHLY, RECUR_YEARLY } frequency;
    bool last_day;       /* of the words: what a month does not have is its last day */
    int interval, count; /* count 0: no end */
    bool has_until;
    struct when until;            /* inclusive */
    unsigned months;              /* bit 1 to 12; 0: not said */
    unsigned days, days_from_end; /* bit 1 to 31 */
    unsigned weekdays;            /* bit 1 (Monday) to 7, without a number */
    struct recur_nth {
        int number, weekday;
    } nth[RECUR_ITEMS_MAX];
    int positions[RECUR_ITEMS_MAX];
    size_t nth_count, position_count;
    int week_start;
    struct when added[RECUR_DATES_MAX], left_out[RECUR_DATES_MAX]; /* in order */
    size_t added_count, left_out_count;
};

/* start must be valid. -EINVAL with a reason; zone is for an UNTIL in UTC. */
int recur_read(struct view text, const struct when *start, const char *zone, struct recurrence *ret, struct why *why);
/* The first max dates later than `after` (NULL: from the first on), in order; how many there are. */
size_t recur_list(const struct recurrence *r, const struct when *after, struct when *ret, size_t max);
/* Whole years from the event's first date to this one. A 29 February has its years full on the last day of February. */
int recur_years(const struct when *start, const struct when *date);
/* The end of the event on that date: as far behind it by the clock as the first end is behind the first start. */
struct when recur_end(const struct when *start, const struct when *end, const struct when *date);
