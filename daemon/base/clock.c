#include "base/clock.h"

#include <errno.h>
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

static int digits(struct view v, size_t at, size_t len, int *ret) {
    uint64_t n;
    int r = number_parse_u64(view_slice(v, at, len), 9999, &n);
    if (r == 0)
        *ret = (int)n;
    return r;
}

int clock_parse_utc(struct view v, int64_t *ret_usec) {
    int year, month, day, hour, minute, second;
    if (v.len < 20 || v.ptr[4] != '-' || v.ptr[7] != '-' || v.ptr[10] != 'T' || v.ptr[13] != ':' || v.ptr[16] != ':' ||
        v.ptr[v.len - 1] != 'Z')
        return -EINVAL;
    if (v.len > 20) {
        uint64_t fraction;
        if (v.ptr[19] != '.' || v.len > 28 ||
            number_parse_u64(view_slice(v, 20, v.len - 21), UINT64_MAX, &fraction) < 0)
            return -EINVAL;
    }
    if (digits(v, 0, 4, &year) < 0 || digits(v, 5, 2, &month) < 0 || digits(v, 8, 2, &day) < 0 ||
        digits(v, 11, 2, &hour) < 0 || digits(v, 14, 2, &minute) < 0 || digits(v, 17, 2, &second) < 0)
        return -EINVAL;
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return -EINVAL;
    *ret_usec = (clock_days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second) * USEC_PER_SEC;
    return 0;
}
