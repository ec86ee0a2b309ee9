#include "mail/when.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/number.h"
#include "mail/zone.h"

#include "base/banned.h"

enum { DAY_SEC = 86400 };

/* Blanks as people and word processors make them. */
static size_t blank_len(struct view v) {
    static const char *const blanks[] = {" ", "\t", "\u00a0", "\u202f", "\u2009"};
    for (size_t i = 0; i < COUNT_OF(blanks); i++)
        if (view_starts(v, blanks[i]))
            return strlen(blanks[i]);
    return 0;
}

/* True where there was one. */
static bool skip_blanks(struct view *v) {
    size_t before = v->len;
    for (size_t n; (n = blank_len(*v)) > 0;)
        *v = view_slice(*v, n, v->len);
    return v->len < before;
}

static bool take(struct view *v, const char *what) {
    if (!view_starts(*v, what))
        return false;
    *v = view_slice(*v, strlen(what), v->len);
    return true;
}

static bool take_any(struct view *v, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (view_eq_nocase(view_slice(*v, 0, strlen(words[i])), words[i])) {
            *v = view_slice(*v, strlen(words[i]), v->len);
            return true;
        }
    return false;
}

/* How many digits there were, at most max_digits; a further digit is not taken. */
static size_t take_digits(struct view *v, size_t max_digits, int *ret) {
    size_t n = 0;
    *ret = 0;
    for (; n < v->len && n < max_digits && v->ptr[n] >= '0' && v->ptr[n] <= '9'; n++)
        *ret = *ret * 10 + (v->ptr[n] - '0');
    *v = view_slice(*v, n, v->len);
    return n;
}

static bool starts_with_digit(struct view v) {
    return v.len && v.ptr[0] >= '0' && v.ptr[0] <= '9';
}

/* 2025-09-02 */
static bool take_iso_date(struct view *v, struct when *w) {
    return take_digits(v, 4, &w->year) == 4 && take(v, "-") && take_digits(v, 2, &w->month) && take(v, "-") &&
           take_digits(v, 2, &w->day) && !starts_with_digit(*v);
}

/* 2.9.2025, 02. 09. 2025 */
static bool take_dotted_date(struct view *v, struct when *w) {
    if (!take_digits(v, 2, &w->day) || !take(v, "."))
        return false;
    (void)skip_blanks(v); /* may be there or not */
    if (!take_digits(v, 2, &w->month) || !take(v, "."))
        return false;
    (void)skip_blanks(v);
    return take_digits(v, 4, &w->year) == 4 && !starts_with_digit(*v);
}

/* Everything up to the end must be the time. */
static bool take_time(struct view *v, struct when *w) {
    static const char *const hour_words[] = {"uhr", "h"}, *const separators[] = {":", ".", "h"};
    if (!take_digits(v, 2, &w->hour))
        return false;
    bool blank = skip_blanks(v);
    if (!blank || view_eq_nocase(view_slice(*v, 0, 1), "h")) {
        struct view before = *v;
        if (take_any(v, separators, COUNT_OF(separators))) {
            bool is_h = view_eq_nocase(view_slice(before, 0, 1), "h");
            if (is_h)
                (void)skip_blanks(v); /* "9 h 30" */
            if (is_h && v->len == 0)
                return true; /* "9h" */
            if (take_digits(v, 2, &w->minute) != 2 || starts_with_digit(*v))
                return false;
            if (!is_h && take(v, ":") && (take_digits(v, 2, &w->second) != 2 || starts_with_digit(*v)))
                return false;
            (void)skip_blanks(v);
            if (!is_h)
                (void)take_any(v, hour_words, COUNT_OF(hour_words)); /* "10:00 Uhr", or nothing */
            return v->len == 0;
        }
    }
    return take_any(v, hour_words, COUNT_OF(hour_words)) && v->len == 0; /* "9 Uhr" */
}

static enum when_fault check_time(const struct when *w) {
    return w->hour < 0 || w->hour > 23 || w->minute < 0 || w->minute > 59 || w->second < 0 || w->second > 59
               ? WHEN_NO_SUCH_TIME
               : WHEN_OK;
}

static bool is_day(const struct when *w) {
    if (w->year < 0 || w->year > 9999 || w->month < 1 || w->month > 12 || w->day < 1 || w->day > 31)
        return false;
    int year, month, day;
    clock_civil_from_days(clock_days_from_civil(w->year, w->month, w->day), &year, &month, &day);
    return month == w->month;
}

bool when_is_valid(const struct when *w) {
    return is_day(w) && (!w->has_time || check_time(w) == WHEN_OK);
}

enum when_fault when_parse_time(struct view v, struct when *ret) {
    struct when w = {0};
    if (v.len > WHEN_INPUT_MAX)
        return WHEN_NOT_A_DATE;
    v = view_trim(v);
    if (!take_time(&v, &w))
        return WHEN_NOT_A_DATE;
    if (check_time(&w) != WHEN_OK)
        return WHEN_NO_SUCH_TIME;
    ret->hour = w.hour;
    ret->minute = w.minute;
    ret->second = w.second;
    return WHEN_OK;
}

enum when_fault when_parse(struct view v, struct when *ret) {
    static const char *const joins[] = {"um ", "à ", "at ", "ore ", "alle ore ", "godz. ", "o ", "о ", "об "};
    struct when w = {0};
    if (v.len > WHEN_INPUT_MAX)
        return WHEN_NOT_A_DATE;
    v = view_trim(v);
    struct view rest = v;
    bool iso = take_iso_date(&rest, &w);
    if (!iso) {
        rest = v;
        w = (struct when){0};
        if (!take_dotted_date(&rest, &w))
            return WHEN_NOT_A_DATE;
    }
    if (rest.len) {
        bool comma = take(&rest, ","), blank = skip_blanks(&rest);
        if (!comma && !blank && !(iso && take(&rest, "T")))
            return WHEN_NOT_A_DATE;
        (void)take_any(&rest, joins, COUNT_OF(joins)); /* "um 10 Uhr", or no such word */
        w.has_time = true;
        if (!take_time(&rest, &w))
            return WHEN_NOT_A_DATE;
    }
    if (w.year < WHEN_YEAR_MIN || w.year > WHEN_YEAR_MAX || !is_day(&w))
        return WHEN_NO_SUCH_DAY;
    if (check_time(&w) != WHEN_OK)
        return WHEN_NO_SUCH_TIME;
    *ret = w;
    return WHEN_OK;
}

bool when_zone_exists(const char *zone) {
    return zone_find(zone) != NULL;
}

enum when_fault when_to_usec(const struct when *w, const char *zone, int64_t *ret_usec) {
    const struct zone *z = zone_find(zone);
    if (!z)
        return WHEN_BAD_ZONE;
    if (!is_day(w))
        return WHEN_NO_SUCH_DAY;
    int64_t sec, civil_sec = clock_days_from_civil(w->year, w->month, w->day) * DAY_SEC;
    if (w->has_time) {
        if (check_time(w) != WHEN_OK)
            return WHEN_NO_SUCH_TIME;
        civil_sec += w->hour * 3600 + w->minute * 60 + w->second;
    }
    switch (zone_to_utc(z, civil_sec, &sec)) {
    case ZONE_OK: break;
    case ZONE_IN_GAP:
        if (w->has_time)
            return WHEN_NO_SUCH_TIME;
        break; /* the day begins at the change */
    case ZONE_DAY_SKIPPED: return WHEN_NO_SUCH_DAY;
    }
    *ret_usec = sec * USEC_PER_SEC;
    return WHEN_OK;
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

static int from_civil_sec(int64_t sec, struct when *ret) {
    int64_t days = floor_div(sec, DAY_SEC);
    if (days < clock_days_from_civil(0, 1, 1) || days > clock_days_from_civil(9999, 12, 31))
        return -EINVAL;
    int rest = (int)(sec - days * DAY_SEC);
    *ret = (struct when){.hour = rest / 3600, .minute = rest / 60 % 60, .second = rest % 60, .has_time = true};
    clock_civil_from_days(days, &ret->year, &ret->month, &ret->day);
    return 0;
}

int when_from_usec(int64_t usec, const char *zone, struct when *ret) {
    const struct zone *z = zone_find(zone);
    if (!z)
        return -EINVAL;
    struct zone_span span;
    int64_t sec = floor_div(usec, USEC_PER_SEC);
    zone_span(z, sec, &span);
    return from_civil_sec(sec + span.offset_sec, ret);
}

int when_offset(int64_t usec, const char *zone, int *ret_minutes, char ret_abbreviation[16]) {
    const struct zone *z = zone_find(zone);
    if (!z)
        return -EINVAL;
    struct zone_span span;
    zone_span(z, floor_div(usec, USEC_PER_SEC), &span);
    *ret_minutes = span.offset_sec / 60;
    (void)snprintf(ret_abbreviation, 16, "%s", span.abbreviation); /* cut where longer: it is only shown */
    return 0;
}

int when_weekday(const struct when *w) {
    int64_t days = clock_days_from_civil(w->year, w->month, w->day);
    return (int)(((days + 3) % 7 + 7) % 7) + 1; /* 1970-01-01 was a Thursday */
}

int when_cmp(const struct when *a, const struct when *b) {
    const int pairs[][2] = {{a->year, b->year},
                            {a->month, b->month},
                            {a->day, b->day},
                            {a->has_time, b->has_time},
                            {a->has_time ? a->hour : 0, b->has_time ? b->hour : 0},
                            {a->has_time ? a->minute : 0, b->has_time ? b->minute : 0},
                            {a->has_time ? a->second : 0, b->has_time ? b->second : 0}};
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        if (pairs[i][0] != pairs[i][1])
            return pairs[i][0] < pairs[i][1] ? -1 : 1;
    return 0;
}

void when_add_days(struct when *w, int days) {
    clock_civil_from_days(clock_days_from_civil(w->year, w->month, w->day) + days, &w->year, &w->month, &w->day);
}

void when_print_rfc5322(int64_t usec, const char *zone, struct buf *to) {
    static const char weekdays[][4] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int minutes = 0;
    char abbreviation[16], sign = '+';
    if (when_offset(usec, zone, &minutes, abbreviation) < 0)
        sign = '-';
    struct when w;
    /* The clock that the offset in whole minutes describes. */
    if (from_civil_sec(floor_div(usec, USEC_PER_SEC) + (int64_t)minutes * 60, &w) < 0)
        (void)from_civil_sec(0, &w); /* no time that the daemon can have: the epoch is as good as any */
    if (minutes < 0) {
        sign = '-';
        minutes = -minutes;
    }
    buf_printf(to, "%s, %02d %s %04d %02d:%02d:%02d %c%02d%02d", weekdays[when_weekday(&w) - 1], w.day,
               months[w.month - 1], w.year, w.hour, w.minute, w.second, sign, minutes / 60, minutes % 60);
}
