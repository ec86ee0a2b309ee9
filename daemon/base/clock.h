/* The one place that reads time, so that rehearsals and tests can start the clock elsewhere. */
#pragma once
#include <stdint.h>

#include "base/buf.h"

/* Shifts clock_now_usec() so that it reads start_usec now. Call before any thread starts. */
void clock_start_at(int64_t start_usec);
/* Microseconds since the epoch, UTC: for everything that is stored or shown. */
int64_t clock_now_usec(void);
/* Monotonic microseconds, never shifted: for deadlines and measuring. */
int64_t clock_mono_usec(void);

/* RFC 3339 in UTC with seconds: "2025-07-01T08:00:00Z". */
void clock_print_utc(struct buf *to, int64_t usec);
/* Reads that form only (and with a fraction, which is dropped). -EINVAL else. */
int clock_parse_utc(struct view v, int64_t *ret_usec);
/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar, and back. */
int64_t clock_days_from_civil(int year, int month, int day);
void clock_civil_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day);
