#include "mail/repeat.h"

#include <errno.h>
#include <stdint.h>

#include "base/number.h"

#include "base/banned.h"

/* In the order in which they are written. */
enum part { FREQ, INTERVAL, COUNT, UNTIL, BYMONTH, BYMONTHDAY, BYDAY, BYSETPOS, WKST };
static const char *const part_names[] = {
    [FREQ] = "FREQ",   [INTERVAL] = "INTERVAL", [COUNT] = "COUNT",
    [UNTIL] = "UNTIL", [BYMONTH] = "BYMONTH",   [BYMONTHDAY] = "BYMONTHDAY",
    [BYDAY] = "BYDAY", [BYSETPOS] = "BYSETPOS", [WKST] = "WKST",
};
enum { PARTS = COUNT_OF(part_names), ITEMS_MAX = 31, ORDINAL_MAX = 5 };

struct rule {
    struct view part[PARTS];
};

static const char *const frequencies[] = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"};
static const char *const weekdays[] = {"MO", "TU", "WE", "TH", "FR", "SA", "SU"};

static bool is_one_of(struct view v, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (view_eq_str(v, names[i]))
            return true;
    return false;
}

static bool is_number(struct view v, uint64_t max, bool may_be_negative, int64_t *ret) {
    bool negative = may_be_negative && view_starts(v, "-"), sign = negative || (may_be_negative && view_starts(v, "+"));
    uint64_t n;
    if (v.len > 4 || number_parse_u64(view_slice(v, sign, v.len), max, &n) < 0 || n == 0)
        return false;
    *ret = negative ? -(int64_t)n : (int64_t)n;
    return true;
}

static bool is_list(struct view v, uint64_t max, bool may_be_negative) {
    struct view item;
    int64_t n;
    size_t count = 0;
    while (view_split(&v, ',', &item))
        if (++count > ITEMS_MAX || !is_number(item, max, may_be_negative, &n))
            return false;
    return true;
}

static bool is_day_list(struct view v, bool with_ordinals) {
    struct view item;
    int64_t n;
    size_t count = 0;
    while (view_split(&v, ',', &item)) {
        if (++count > ITEMS_MAX || item.len < 2 ||
            !is_one_of(view_slice(item, item.len - 2, 2), weekdays, COUNT_OF(weekdays)))
            return false;
        struct view ordinal = view_slice(item, 0, item.len - 2);
        if (ordinal.len && (!with_ordinals || !is_number(ordinal, ORDINAL_MAX, true, &n)))
            return false;
    }
    return true;
}

/* 20251231, 20251231T235959, 20251231T235959Z; whether that day is one is for the calendar library. */
static bool is_until(struct view v) {
    static const char pattern[] = "99999999T999999Z";
    if (v.len != 8 && v.len != 15 && v.len != 16)
        return false;
    for (size_t i = 0; i < v.len; i++)
        if (pattern[i] == '9' ? v.ptr[i] < '0' || v.ptr[i] > '9' : v.ptr[i] != pattern[i])
            return false;
    return true;
}

static bool is_good(const struct rule *r, enum part part) {
    struct view v = r->part[part];
    int64_t n;
    switch (part) {
    case FREQ: return is_one_of(v, frequencies, COUNT_OF(frequencies));
    case INTERVAL: return is_number(v, REPEAT_INTERVAL_MAX, false, &n);
    case COUNT: return is_number(v, REPEAT_COUNT_MAX, false, &n) && !r->part[UNTIL].ptr;
    case UNTIL: return is_until(v);
    case BYMONTH: return is_list(v, 12, false);
    case BYMONTHDAY: return is_list(v, 31, true) && !view_eq_str(r->part[FREQ], "WEEKLY");
    case BYDAY:
        return is_day_list(v, view_eq_str(r->part[FREQ], "MONTHLY") ||
                                  (view_eq_str(r->part[FREQ], "YEARLY") && r->part[BYMONTH].ptr));
    case BYSETPOS:
        return is_list(v, ITEMS_MAX, true) && (r->part[BYDAY].ptr || r->part[BYMONTHDAY].ptr || r->part[BYMONTH].ptr);
    case WKST: return is_one_of(v, weekdays, COUNT_OF(weekdays));
    }
    return false;
}

/* Some month named has one of the days named. */
static bool has_days(const struct rule *r) {
    static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (!r->part[BYMONTH].ptr || !r->part[BYMONTHDAY].ptr)
        return true;
    struct view months = r->part[BYMONTH], month, days, day;
    int64_t m, d;
    while (view_split(&months, ',', &month))
        for (days = r->part[BYMONTHDAY]; view_split(&days, ',', &day);)
            if (is_number(month, 12, false, &m) && is_number(day, 31, true, &d) && (d < 0 ? -d : d) <= lengths[m - 1])
                return true;
    return false;
}

static int take_parts(struct view text, struct rule *r, struct why *why) {
    struct view pair;
    while (view_split(&text, ';', &pair)) {
        if (pair.len == 0 && text.ptr == NULL)
            break;
        size_t equals = view_find(pair, '='), i = 0;
        while (i < PARTS && !view_eq_str(view_slice(pair, 0, equals), part_names[i]))
            i++;
        if (i == PARTS)
            return why_set(why, -EINVAL, "“%.*s” is not a part of a repetition that is served here",
                           (int)(equals < 40 ? equals : 40), pair.ptr);
        if (r->part[i].ptr)
            return why_set(why, -EINVAL, "the repetition says %s twice", part_names[i]);
        r->part[i] = view_slice(pair, equals + 1, pair.len);
        if (r->part[i].len == 0)
            return why_set(why, -EINVAL, "the repetition's %s is empty", part_names[i]);
    }
    return 0;
}

static int parse_upper(struct view text, struct buf *to, struct why *why) {
    struct rule r = {0};
    if (is_one_of(text, frequencies, COUNT_OF(frequencies)))
        r.part[FREQ] = text;
    else if (take_parts(text, &r, why) < 0)
        return -EINVAL;
    if (!r.part[FREQ].ptr)
        return why_set(why, -EINVAL, "the repetition has no FREQ");
    for (size_t i = 0; i < PARTS; i++)
        if (r.part[i].ptr && !is_good(&r, (enum part)i))
            return why_set(why, -EINVAL, "the repetition's %s=%.*s is not served", part_names[i],
                           (int)(r.part[i].len < 40 ? r.part[i].len : 40), r.part[i].ptr);
    if (!has_days(&r))
        return why_set(why, -EINVAL, "the repetition names days that its months do not have");
    bool first = true;
    for (size_t i = 0; i < PARTS; i++) {
        if (!r.part[i].ptr || (i == INTERVAL && view_eq_str(r.part[i], "1")))
            continue;
        buf_puts(to, first ? "" : ";");
        buf_puts(to, part_names[i]);
        buf_putc(to, '=');
        buf_add_view(to, r.part[i]);
        first = false;
    }
    return buf_error(to);
}

int repeat_parse(struct view v, struct buf *to, struct why *why) {
    char upper[REPEAT_MAX_BYTES];
    v = view_trim(v);
    if (v.len == 0)
        return 0;
    if (v.len > sizeof upper)
        return why_set(why, -EINVAL, "the repetition is longer than %d characters", REPEAT_MAX_BYTES);
    for (size_t i = 0; i < v.len; i++)
        upper[i] = v.ptr[i] >= 'a' && v.ptr[i] <= 'z' ? (char)(v.ptr[i] - 'a' + 'A') : v.ptr[i];
    int r = parse_upper(view_make(upper, v.len), to, why);
    if (r < 0)
        why_todo(why, "Write daily, weekly, monthly or yearly, or a rule such as FREQ=MONTHLY;BYDAY=1TU");
    return r;
}
