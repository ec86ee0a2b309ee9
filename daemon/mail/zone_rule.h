/* The last line of a zoneinfo file: a TZ string of POSIX.1-2024 with RFC 9636's extensions, for what comes behind the
 * listed changes. "CET-1CEST,M3.5.0,M10.5.0/3", "<+0545>-5:45". Names and times as the grammar has them, the whole
 * line or nothing. */
#pragma once
#include "mail/zone.h"

enum { ZONE_ABBREVIATION_MAX = 15 };

struct zone_footer {
    bool has_dst; /* else, and where the line is empty, the last listed change goes on */
    /* [0] to standard time, [1] to daylight saving time.
     * A month of 0 is a day of the year: week is then its number from 1, and weekday 1 where leap days are not
     * counted. */
    struct zone_rule rule[2];
    char names[2][ZONE_ABBREVIATION_MAX + 1];
};

/* The rules point into *ret: it must not be moved. */
bool zone_footer_parse(struct view line, struct zone_footer *ret);
/* Letters, digits, + and -. */
bool zone_is_abbreviation(char c);
