#include "mail/recur.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/number.h"
#include "mail/repeat.h"

#include "base/banned.h"

enum { DAY_SEC = 86400, PERIOD_DAYS_MAX = 366 };

/* --- Reading ------------------------------------------------------------------------------------------------- */

static int read_weekday(struct view v) {
    static const char names[][3] = {"MO", "TU", "WE", "TH", "FR", "SA", "SU"};
    for (int i = 0; i < 7; i++)
        if (view_eq_str(v, names[i]))
            return i + 1;
    return 0;
}

/* Of a text that repeat_parse() has approved. */
static int read_number(struct view v) {
    int64_t n = 0;
    bool sign = view_starts(v, "+");
    return number_parse_i64(view_slice(v, sign, v.len), &n) == 0 ? (int)n : 0;
}

static int digits(struct view v, size_t at, size_t count) {
    int n = 0;
    for (size_t i = at; i < at + count && i < v.len; i++)
        n = v.ptr[i] >= '0' && v.ptr[i] <= '9' ? n * 10 + (v.ptr[i] - '0') : -100000;
    return n;
}

/* 20250902, 20250902T100000, 20250902T100000Z */
static bool read_date(struct view v, struct when *ret, bool *ret_utc) {
    *ret_utc = v.len == 16 && v.ptr[15] == 'Z';
    bool has_time = v.len == 15 || *ret_utc;
    if (v.len != 8 && (!has_time || v.ptr[8] != 'T'))
        return false;
    *ret = (struct when){digits(v, 0, 4), digits(v, 4, 2), digits(v, 6, 2), 0, 0, 0, has_time};
    if (has_time)
        ret->hour = digits(v, 9, 2), ret->minute = digits(v, 11, 2), ret->second = digits(v, 13, 2);
    return when_is_valid(ret);
}

static int read_until(struct view v, const char *zone, struct recurrence *r) {
    bool utc;
    int64_t usec;
    if (!read_date(v, &r->until, &utc))
        return -EINVAL;
    if (utc && (when_to_usec(&r->until, "UTC", &usec) != WHEN_OK || when_from_usec(usec, zone, &r->until) < 0))
        return -EINVAL;
    if (!r->until.has_time)
        r->until.hour = 23, r->until.minute = r->until.second = 59;
    r->until.has_time = r->start.has_time;
    r->has_until = true;
    return 0;
}

static void read_days(struct view v, struct recurrence *r) {
    struct view item;
    while (view_split(&v, ',', &item)) {
        int n = read_number(item);
        if (n > 0)
            r->days |= 1U << n;
        else if (n < 0)
            r->days_from_end |= 1U << -n;
    }
}

static void read_weekdays(struct view v, struct recurrence *r) {
    struct view item;
    while (view_split(&v, ',', &item)) {
        int weekday = read_weekday(view_slice(item, item.len - 2, 2));
        struct view number = view_slice(item, 0, item.len - 2);
        if (number.len == 0)
            r->weekdays |= 1U << weekday;
        else if (r->nth_count < RECUR_ITEMS_MAX)
            r->nth[r->nth_count++] = (struct recur_nth){read_number(number), weekday};
    }
}

static int read_part(struct view name, struct view v, const char *zone, struct recurrence *r) {
    struct view item;
    if (view_eq_str(name, "FREQ"))
        r->frequency = view_eq_str(v, "DAILY")     ? RECUR_DAILY
                       : view_eq_str(v, "WEEKLY")  ? RECUR_WEEKLY
                       : view_eq_str(v, "MONTHLY") ? RECUR_MONTHLY
                                                   : RECUR_YEARLY;
    else if (view_eq_str(name, "INTERVAL"))
        r->interval = read_number(v);
    else if (view_eq_str(name, "COUNT"))
        r->count = read_number(v);
    else if (view_eq_str(name, "UNTIL"))
        return read_until(v, zone, r);
    else if (view_eq_str(name, "BYMONTH"))
        while (view_split(&v, ',', &item))
            r->months |= 1U << read_number(item);
    else if (view_eq_str(name, "BYMONTHDAY"))
        read_days(v, r);
    else if (view_eq_str(name, "BYDAY"))
        read_weekdays(v, r);
    else if (view_eq_str(name, "BYSETPOS"))
        while (view_split(&v, ',', &item) && r->position_count < RECUR_ITEMS_MAX)
            r->positions[r->position_count++] = read_number(item);
    else if (view_eq_str(name, "WKST"))
        r->week_start = read_weekday(v);
    return 0;
}

static int read_rule(struct view text, const char *zone, struct recurrence *r, struct why *why) {
    AUTOBUF struct buf rule = BUF_INIT(2 * REPEAT_MAX_BYTES);
    int e = repeat_parse(text, &rule, why);
    if (e < 0)
        return e;
    struct view rest = buf_view(&rule), pair;
    r->has_rule = rest.len > 0;
    r->last_day = view_find(text, '=') == text.len;
    while (view_split(&rest, ';', &pair)) {
        size_t equals = view_find(pair, '=');
        if (read_part(view_slice(pair, 0, equals), view_slice(pair, equals + 1, pair.len), zone, r) < 0)
            return why_set(why, -EINVAL, "the repetition's %.*s is no date", (int)equals, pair.ptr);
    }
    return 0;
}

static int compare(const void *a, const void *b) {
    return when_cmp(a, b);
}

static int read_dates(struct view list, const struct when *start, bool add, struct when *to, size_t *count,
                      struct why *why) {
    struct view item;
    while (view_split(&list, ',', &item)) {
        struct when w;
        bool utc;
        if (*count == RECUR_DATES_MAX)
            return why_set(why, -EINVAL, "the repetition has more than %d single dates", RECUR_DATES_MAX);
        if (!read_date(item, &w, &utc) || utc || w.year < WHEN_YEAR_MIN || w.year > WHEN_YEAR_MAX)
            return why_set(why, -EINVAL, "the repetition's “%.*s” is no date", (int)(item.len < 40 ? item.len : 40),
                           item.ptr);
        if (add && w.has_time != start->has_time)
            w.hour = start->hour, w.minute = start->minute, w.second = start->second, w.has_time = start->has_time;
        to[(*count)++] = w;
    }
    qsort(to, *count, sizeof *to, compare);
    return 0;
}

int recur_read(struct view text, const struct when *start, const char *zone, struct recurrence *ret, struct why *why) {
    struct recurrence *r = ret;
    struct view rest = view_trim(text), word;
    *r = (struct recurrence){.start = *start, .interval = 1, .week_start = 1};
    if (rest.len > RECUR_TEXT_MAX_BYTES)
        return why_set(why, -EINVAL, "the repetition is too long");
    int e = 0;
    if (!view_starts(rest, "+") && !view_starts(rest, "-") && view_split(&rest, ' ', &word))
        e = read_rule(word, zone, r, why);
    while (e == 0 && rest.len && view_split(&rest, ' ', &word)) {
        struct view list = view_slice(word, 1, word.len);
        if (word.len == 0)
            continue;
        if (word.ptr[0] == '+')
            e = read_dates(list, start, true, r->added, &r->added_count, why);
        else if (word.ptr[0] == '-')
            e = read_dates(list, start, false, r->left_out, &r->left_out_count, why);
        else
            e = why_set(why, -EINVAL, "“%.*s” is not a part of a repetition that is served here",
                        (int)(word.len < 40 ? word.len : 40), word.ptr);
    }
    return e;
}

/* --- Days of a rule ------------------------------------------------------------------------------------------- */

static int days_in_month(int year, int month) {
    int64_t first = clock_days_from_civil(year, month, 1);
    return (int)(clock_days_from_civil(month == 12 ? year + 1 : year, month == 12 ? 1 : month + 1, 1) - first);
}

static bool is_nth(const struct recurrence *r, int day, int last, int weekday) {
    for (size_t i = 0; i < r->nth_count; i++) {
        const struct recur_nth *n = &r->nth[i];
        int is = n->number > 0 ? (day - 1) / 7 + 1 : -((last - day) / 7 + 1);
        if (n->weekday == weekday && n->number == is)
            return true;
    }
    return false;
}

static bool has_bit(unsigned set, int bit) {
    return set >> bit & 1;
}

/* Whether the rule, without BYSETPOS, means this day of one of its periods. */
static bool is_meant(const struct recurrence *r, int64_t day_number) {
    struct when w = {0};
    clock_civil_from_days(day_number, &w.year, &w.month, &w.day);
    int last = days_in_month(w.year, w.month), weekday = when_weekday(&w);
    bool by_weekday = r->weekdays || r->nth_count, by_day = r->days || r->days_from_end;
    if (r->months && !has_bit(r->months, w.month))
        return false;
    if (by_day && !has_bit(r->days, w.day) && !has_bit(r->days_from_end, last - w.day + 1))
        return false;
    if (by_weekday && !has_bit(r->weekdays, weekday) && !is_nth(r, w.day, last, weekday))
        return false;
    if (by_day || by_weekday || r->frequency == RECUR_DAILY)
        return true;
    if (r->frequency == RECUR_WEEKLY)
        return weekday == when_weekday(&r->start);
    int day = r->last_day && r->start.day > last ? last : r->start.day;
    return w.day == day && (r->frequency == RECUR_MONTHLY || r->months || w.month == r->start.month);
}

struct period {
    int64_t first, end; /* day numbers; end is the day behind */
};

static struct period period_of_months(int64_t month_number, int months) {
    int64_t behind = month_number + months;
    return (struct period){clock_days_from_civil((int)(month_number / 12), (int)(month_number % 12) + 1, 1),
                           clock_days_from_civil((int)(behind / 12), (int)(behind % 12) + 1, 1)};
}

static int64_t start_day(const struct recurrence *r) {
    return clock_days_from_civil(r->start.year, r->start.month, r->start.day);
}

static int64_t first_week(const struct recurrence *r) {
    return start_day(r) - (when_weekday(&r->start) - r->week_start + 7) % 7;
}

static struct period period_at(const struct recurrence *r, int64_t index) {
    int64_t n = index * r->interval;
    switch (r->frequency) {
    case RECUR_DAILY: return (struct period){start_day(r) + n, start_day(r) + n + 1};
    case RECUR_WEEKLY: return (struct period){first_week(r) + 7 * n, first_week(r) + 7 * n + 7};
    case RECUR_MONTHLY: return period_of_months((int64_t)r->start.year * 12 + r->start.month - 1 + n, 1);
    case RECUR_YEARLY: break;
    }
    return period_of_months(((int64_t)r->start.year + n) * 12, 12);
}

/* The period in which the search may begin: with a COUNT it must be the first. */
static int64_t index_before(const struct recurrence *r, const struct when *after) {
    if (!after || r->count || when_cmp(after, &r->start) < 0)
        return 0;
    int64_t days = clock_days_from_civil(after->year, after->month, after->day) - start_day(r), index = 0;
    switch (r->frequency) {
    case RECUR_DAILY: index = days / r->interval; break;
    case RECUR_WEEKLY: index = days / 7 / r->interval; break;
    case RECUR_MONTHLY:
        index = ((int64_t)(after->year - r->start.year) * 12 + after->month - r->start.month) / r->interval;
        break;
    case RECUR_YEARLY: index = (after->year - r->start.year) / r->interval; break;
    }
    return index > 0 ? index - 1 : 0;
}

static bool is_position(const struct recurrence *r, size_t at, size_t count) {
    for (size_t i = 0; i < r->position_count; i++)
        if (r->positions[i] == (int)at + 1 || r->positions[i] == (int)at - (int)count)
            return true;
    return r->position_count == 0;
}

/* The days of one period, in order, not before the start. */
static size_t days_of(const struct recurrence *r, int64_t index, int64_t days[PERIOD_DAYS_MAX + 1]) {
    struct period p = period_at(r, index);
    int64_t meant[PERIOD_DAYS_MAX], start = start_day(r);
    size_t count = 0, n = 0;
    for (int64_t d = p.first; d < p.end && count < PERIOD_DAYS_MAX; d++)
        if (is_meant(r, d))
            meant[count++] = d;
    if (index == 0)
        days[n++] = start;
    for (size_t i = 0; i < count; i++)
        if (meant[i] >= start && is_position(r, i, count) && !(index == 0 && meant[i] == start))
            days[n++] = meant[i];
    return n;
}

/* --- The search ------------------------------------------------------------------------------------------------ */

struct search {
    const struct recurrence *r;
    const struct when *after;
    struct when *found;
    size_t count, max, next_added;
};

static bool is_left_out(const struct recurrence *r, const struct when *w) {
    struct when day = *w;
    day.has_time = false;
    for (size_t i = 0; i < r->left_out_count; i++)
        if (when_cmp(&r->left_out[i], w) == 0 || when_cmp(&r->left_out[i], &day) == 0)
            return true;
    return false;
}

static void take(struct search *s, const struct when *w) {
    if (s->count == s->max || (s->after && when_cmp(w, s->after) <= 0) || is_left_out(s->r, w))
        return;
    if (s->count == 0 || when_cmp(&s->found[s->count - 1], w) < 0)
        s->found[s->count++] = *w;
}

/* The dates added that come before this one of the rule (NULL: all), then it. */
static void take_in_order(struct search *s, const struct when *w) {
    const struct recurrence *r = s->r;
    while (s->next_added < r->added_count && (!w || when_cmp(&r->added[s->next_added], w) < 0))
        take(s, &r->added[s->next_added++]);
    if (w)
        take(s, w);
}

static struct when at_start_time(const struct recurrence *r, int64_t day) {
    struct when w = r->start;
    clock_civil_from_days(day, &w.year, &w.month, &w.day);
    return w;
}

/* False where the rule is at its end. */
static bool take_period(struct search *s, int64_t index, int *seen) {
    const struct recurrence *r = s->r;
    int64_t days[PERIOD_DAYS_MAX + 1];
    if (period_at(r, index).first > clock_days_from_civil(WHEN_YEAR_MAX, 12, 31))
        return false;
    size_t n = days_of(r, index, days);
    for (size_t i = 0; i < n; i++) {
        struct when w = at_start_time(r, days[i]);
        if (w.year > WHEN_YEAR_MAX || (r->count && *seen == r->count) || (r->has_until && when_cmp(&w, &r->until) > 0))
            return false;
        ++*seen;
        take_in_order(s, &w);
    }
    return s->count < s->max;
}

size_t recur_list(const struct recurrence *r, const struct when *after, struct when *ret, size_t max) {
    struct search s = {.r = r, .after = after, .found = ret, .max = max};
    int seen = 0;
    if (r->has_rule)
        for (int64_t index = index_before(r, after); take_period(&s, index, &seen); index++)
            ;
    else
        take_in_order(&s, &r->start);
    take_in_order(&s, NULL);
    return s.count;
}

/* --- Beside a date -------------------------------------------------------------------------------------------- */

int recur_years(const struct when *start, const struct when *date) {
    int last = days_in_month(date->year, date->month), day = start->day < last ? start->day : last;
    bool before = date->month < start->month || (date->month == start->month && date->day < day);
    return date->year - start->year - before;
}

static int64_t civil_sec(const struct when *w) {
    return clock_days_from_civil(w->year, w->month, w->day) * DAY_SEC + w->hour * 3600 + w->minute * 60 + w->second;
}

struct when recur_end(const struct when *start, const struct when *end, const struct when *date) {
    int64_t sec = civil_sec(date) + civil_sec(end) - civil_sec(start), days = sec / DAY_SEC;
    int rest = (int)(sec % DAY_SEC);
    struct when w = {.hour = rest / 3600, .minute = rest / 60 % 60, .second = rest % 60, .has_time = end->has_time};
    if (rest < 0)
        days--, rest += DAY_SEC, w.hour = rest / 3600, w.minute = rest / 60 % 60, w.second = rest % 60;
    clock_civil_from_days(days, &w.year, &w.month, &w.day);
    return w;
}
