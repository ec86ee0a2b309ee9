/* How an event repeats: the part of RFC 5545's recurrence rules that people use, checked before any library sees it.
 * Rules as FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30 take minutes to expand, here and in the readers' calendars.
 *
 * FORMAT  "daily", "weekly", "monthly", "yearly", or FREQ=DAILY|WEEKLY|MONTHLY|YEARLY with INTERVAL (to
 *         REPEAT_INTERVAL_MAX), COUNT (to REPEAT_COUNT_MAX) or UNTIL, BYMONTH, BYMONTHDAY, BYDAY (with ordinals to 5
 *         where the rule is monthly, or yearly with BYMONTH), BYSETPOS, WKST; each once, in any case and order.
 *         All others, and days that no month named has, are refused. */
#pragma once
#include "base/buf.h"
#include "base/why.h"

enum { REPEAT_MAX_BYTES = 256, REPEAT_INTERVAL_MAX = 99, REPEAT_COUNT_MAX = 999 };

/* Appends the rule in one form, in upper case: FREQ first, no INTERVAL=1. "" is no rule and appends nothing. -EINVAL
 * with a reason. */
int repeat_parse(struct view v, struct buf *to, struct why *why);
