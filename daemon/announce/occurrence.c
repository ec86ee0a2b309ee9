#include "announce/occurrence.h"

#include <errno.h>

#include "base/number.h"

#include "base/banned.h"

enum { PAGE = 16, SHIFTS_MAX = 52 /* of half an hour */, SLACK_DAYS = 3 };

int occurrence_read_days(struct view v, int *ret) {
    int64_t usec;
    v = view_trim(v);
    if (view_eq_str(v, "0d") || view_eq_str(v, "0")) {
        *ret = 0;
        return 0;
    }
    if (number_parse_duration(v, &usec) < 0 || usec % USEC_PER_DAY || usec / USEC_PER_DAY > OCCURRENCE_BEFORE_MAX_DAYS)
        return -EINVAL;
    *ret = (int)(usec / USEC_PER_DAY);
    return 0;
}

/* The first time by the clock from w on that there is: a gap is an hour long, but for a few. */
static bool to_usec(struct when *w, const char *zone, int64_t *ret) {
    for (int i = 0; i < SHIFTS_MAX; i++) {
        enum when_fault fault = when_to_usec(w, zone, ret);
        if (fault == WHEN_OK)
            return true;
        if (fault != WHEN_NO_SUCH_TIME)
            return false;
        if (w->minute >= 30 && ++w->hour > 23) {
            w->hour = 0;
            when_add_days(w, 1);
        }
        w->minute = (w->minute + 30) % 60;
    }
    return false;
}

int64_t occurrence_send_at(const struct when *start, int days, const char *zone) {
    struct when at = {start->year, start->month, start->day, OCCURRENCE_SEND_HOUR, 0, 0, true};
    int64_t usec = 0;
    when_add_days(&at, -days);
    return to_usec(&at, zone, &usec) ? usec : 0;
}

bool occurrence_at(const struct occurrence_rule *rule, const struct when *start, struct occurrence *ret) {
    struct occurrence o = {.start = *start};
    int64_t start_usec;
    if (!to_usec(&o.start, rule->zone, &start_usec))
        return false;
    o.end = recur_end(&rule->recurrence.start, &rule->end, &o.start);
    struct when behind = o.end;
    if (!behind.has_time)
        when_add_days(&behind, 1);
    if (!to_usec(&behind, rule->zone, &o.end_usec))
        return false;
    if (o.end.has_time)
        o.end = behind;
    o.send_at_usec = occurrence_send_at(&o.start, rule->before_days, rule->zone);
    o.held_at_usec = o.send_at_usec - OCCURRENCE_HOLD_DAYS * USEC_PER_DAY;
    o.too_late_usec = o.send_at_usec + OCCURRENCE_LATE_DAYS * USEC_PER_DAY;
    int64_t end_usec = o.end_usec > start_usec ? o.end_usec : start_usec + 1;
    if (o.too_late_usec > end_usec)
        o.too_late_usec = end_usec;
    *ret = o;
    return o.send_at_usec != 0;
}

size_t occurrence_list(const struct occurrence_rule *rule, const struct when *after, struct occurrence *ret,
                       size_t max) {
    struct when dates[PAGE], last;
    size_t count = 0, n = PAGE;
    while (count < max && n == PAGE) {
        n = recur_list(&rule->recurrence, after, dates, PAGE);
        for (size_t i = 0; i < n && count < max; i++)
            count += occurrence_at(rule, &dates[i], &ret[count]);
        if (n) {
            last = dates[n - 1];
            after = &last;
        }
    }
    return count;
}

/* What begins before this is over, whatever its zone: nobody looks at a rule's first hundred years. */
static bool long_ago(const struct occurrence_rule *rule, int64_t now_usec, struct when *ret) {
    int64_t start = 0, end = 0;
    bool known = when_to_usec(&rule->recurrence.start, rule->zone, &start) == WHEN_OK &&
                 when_to_usec(&rule->end, rule->zone, &end) == WHEN_OK;
    return known && when_from_usec(now_usec - (end - start) - SLACK_DAYS * USEC_PER_DAY, rule->zone, ret) == 0;
}

bool occurrence_next(const struct occurrence_rule *rule, const struct when *after, int64_t now_usec, bool catch_up,
                     struct occurrence *ret) {
    struct occurrence page[PAGE];
    struct when from;
    if (long_ago(rule, now_usec, &from) && (!after || when_cmp(after, &from) < 0))
        after = &from;
    for (size_t n = PAGE; n == PAGE; after = &page[PAGE - 1].start) {
        n = occurrence_list(rule, after, page, PAGE);
        for (size_t i = 0; i < n; i++)
            if ((catch_up ? page[i].too_late_usec : page[i].send_at_usec) > now_usec) {
                *ret = page[i];
                return true;
            }
    }
    return false;
}

void occurrence_print(const struct when *w, struct buf *to) {
    buf_printf(to, "%04d-%02d-%02d", w->year, w->month, w->day);
    if (w->has_time)
        buf_printf(to, " %02d:%02d", w->hour, w->minute);
    if (w->has_time && w->second)
        buf_printf(to, ":%02d", w->second);
}
