/* The dates of an announcement that recurs (`[event] repeat`), and the moments that go with each: when it is made and
 * laid before the coordinators, when it goes out, until when it makes sense.
 *
 * MOMENTS of one occurrence
 *         event's start, end  by the clock of the event's zone. A time in the gap of a clock change is said as the clock
 *                             shows it then (RFC 5545 §3.3.5), a day that a zone left out is no date
 *         send_at             OCCURRENCE_SEND_HOUR of the day, `send-before` days before the event's
 *         held_at             OCCURRENCE_HOLD_DAYS before that: a held announcement is made of it
 *         too late            when the event is over, or OCCURRENCE_LATE_DAYS after send_at: what was not made until
 *                             then, because the machine was off, is left out and told */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/recur.h"

enum { OCCURRENCE_HOLD_DAYS = 7, OCCURRENCE_SEND_HOUR = 9, OCCURRENCE_LATE_DAYS = 3, OCCURRENCE_BEFORE_MAX_DAYS = 366 };

struct occurrence_rule {
    struct recurrence recurrence;
    struct when end; /* of the event's first date */
    const char *zone;
    int before_days;
};

struct occurrence {
    struct when start, end; /* in the event's zone */
    int64_t end_usec;       /* of all-day events that of the last day */
    int64_t send_at_usec, held_at_usec, too_late_usec;
};

/* "14d", "2w", "0d": days; -EINVAL. */
int occurrence_read_days(struct view v, int *ret);
/* `days` days before the event, at the hour of sending. */
int64_t occurrence_send_at(const struct when *start, int days, const char *zone);
/* The moments of one date of the rule. False where the zone left that day out. */
bool occurrence_at(const struct occurrence_rule *rule, const struct when *start, struct occurrence *ret);
/* The first max later than `after` (NULL: all), in order; how many. */
size_t occurrence_list(const struct occurrence_rule *rule, const struct when *after, struct occurrence *ret,
                       size_t max);
/* The first later than `after` that is not yet due (with catch_up: not too late) at that moment. False where none is. */
bool occurrence_next(const struct occurrence_rule *rule, const struct when *after, int64_t now_usec, bool catch_up,
                     struct occurrence *ret);
/* A date as when_parse() reads it back: "2026-11-01", "2026-11-01 10:00". */
void occurrence_print(const struct when *w, struct buf *to);
