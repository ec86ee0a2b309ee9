#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/number.h"

static int64_t shift_usec;

static int64_t read_usec(clockid_t id) {
    struct timespec ts;
    (void)clock_gettime(id, &ts); /* cannot fail for these two clocks */
    return (int64_t)ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000;
}

void clock_start_at(int64_t start_usec) {
    shift_usec = start_usec - read_usec(CLOCK_REALTIME);
}

int64_t clock_now_usec(void) {
    return read_usec(CLOCK_REALTIME) + shift_usec;
}

int64_t clock_mono_usec(void) {
    return read_usec(CLOCK_MONOTONIC);
}

/* Howard Hinnant's "chrono-compatible low-level date algorithms". */
int64_t clock_days_from_civil(int year, int month, int day) {
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void clock_civil_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *ret_day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *ret_month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *ret_year = (int)(yoe + era * 400 + (*ret_month <= 2));
}

void clock_print_utc(struct buf *to, int64_t usec) {
    int64_t secs = usec / USEC_PER_SEC - (usec % USEC_PER_SEC < 0);
    int64_t days = secs / 86400 - (secs % 86400 < 0);
    int64_t rest = secs - days * 86400;
    int year, month, day;
    clock_civil_from_days(days, &year, &month, &day);
    buf_printf(to, "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, day, (int)(rest / 3600), (int)(rest / 60 % 60),
               (int)(rest % 60));
}

/* The pattern's letters of one kind are a number; everything else stands for itself. */
int clock_parse_utc(struct view v, int64_t *ret_usec) {
    static const char pattern[] = "YYYY-MM-DDThh:mm:ss", kinds[] = "YMDhms";
    enum { LEN = sizeof pattern - 1 };
    int n[sizeof kinds - 1] = {0};
    if (v.len < LEN + 1 || v.ptr[v.len - 1] != 'Z')
        return -EINVAL;
    for (size_t i = 0; i < LEN; i++) {
        const char *kind = strchr(kinds, pattern[i]);
        if (!kind) {
            if (v.ptr[i] != pattern[i])
                return -EINVAL;
        } else if (v.ptr[i] < '0' || v.ptr[i] > '9') {
            return -EINVAL;
        } else {
            n[kind - kinds] = n[kind - kinds] * 10 + (v.ptr[i] - '0');
        }
    }
    if (v.len > LEN + 1) {
        uint64_t fraction;
        if (v.ptr[LEN] != '.' || v.len > LEN + 11 ||
            number_parse_u64(view_slice(v, LEN + 1, v.len - LEN - 2), UINT64_MAX, &fraction) < 0)
            return -EINVAL;
    }
    if (n[1] < 1 || n[1] > 12 || n[2] < 1 || n[3] > 23 || n[4] > 59 || n[5] > 60)
        return -EINVAL;
    int64_t days = clock_days_from_civil(n[0], n[1], n[2]);
    int year, month, day;
    clock_civil_from_days(days, &year, &month, &day);
    if (month != n[1])
        return -EINVAL; /* no such day in that month */
    *ret_usec = (days * 86400 + n[3] * 3600 + n[4] * 60 + n[5]) * USEC_PER_SEC;
    return 0;
}
