#include "mail/zone_rule.h"

#include "base/clock.h"

#include "base/banned.h"

enum { HOUR_SEC = 3600, DAY_SEC = 86400, RULE_HOURS_MAX = 167, OFFSET_HOURS_MAX = 24, DEFAULT_AT_SEC = 2 * 3600 };

bool zone_is_abbreviation(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-';
}

static bool take_char(struct view *v, char c) {
    if (v->len == 0 || v->ptr[0] != c)
        return false;
    *v = view_slice(*v, 1, v->len);
    return true;
}

static bool take_number(struct view *v, int min, int max, int *ret) {
    int n = 0;
    size_t i = 0;
    for (; i < v->len && v->ptr[i] >= '0' && v->ptr[i] <= '9'; i++) {
        n = n * 10 + (v->ptr[i] - '0');
        if (n > max)
            return false;
    }
    *v = view_slice(*v, i, v->len);
    *ret = n;
    return i > 0 && n >= min;
}

/* [+-]h[:mm[:ss]] */
static bool take_time(struct view *v, int max_hours, int *ret_sec) {
    bool negative = take_char(v, '-');
    if (!negative)
        (void)take_char(v, '+'); /* may stand there or not */
    int hours, minutes = 0, seconds = 0;
    if (!take_number(v, 0, max_hours, &hours))
        return false;
    if (take_char(v, ':')) {
        if (!take_number(v, 0, 59, &minutes) || (take_char(v, ':') && !take_number(v, 0, 59, &seconds)))
            return false;
    }
    *ret_sec = hours * HOUR_SEC + minutes * 60 + seconds;
    if (negative)
        *ret_sec = -*ret_sec;
    return true;
}

/* Letters, or between < and > digits and signs as well. */
static bool take_name(struct view *v, char ret[ZONE_ABBREVIATION_MAX + 1]) {
    bool quoted = take_char(v, '<');
    size_t len = 0;
    while (len < v->len && zone_is_abbreviation(v->ptr[len]) &&
           (quoted || (v->ptr[len] >= 'A' && v->ptr[len] <= 'Z') || (v->ptr[len] >= 'a' && v->ptr[len] <= 'z')))
        len++;
    if (len < 3 || len > ZONE_ABBREVIATION_MAX)
        return false;
    memcpy(ret, v->ptr, len);
    ret[len] = '\0';
    *v = view_slice(*v, len, v->len);
    return !quoted || take_char(v, '>');
}

/* ",Mm.w.d[/time]", ",Jn[/time]" (no leap days) or ",n[/time]" (from 0). */
static bool take_day(struct view *v, struct zone_rule *rule) {
    if (!take_char(v, ','))
        return false;
    if (take_char(v, 'M')) {
        if (!take_number(v, 1, 12, &rule->month) || !take_char(v, '.') || !take_number(v, 1, 5, &rule->week) ||
            !take_char(v, '.') || !take_number(v, 0, 6, &rule->weekday))
            return false;
    } else if (take_char(v, 'J')) {
        rule->weekday = 1;
        if (!take_number(v, 1, 365, &rule->week))
            return false;
    } else {
        if (!take_number(v, 0, 365, &rule->week))
            return false;
        rule->week++;
    }
    rule->at_sec = DEFAULT_AT_SEC;
    return !take_char(v, '/') || take_time(v, RULE_HOURS_MAX, &rule->at_sec);
}

bool zone_footer_parse(struct view line, struct zone_footer *ret) {
    *ret = (struct zone_footer){0};
    if (line.len == 0)
        return true;
    struct zone_rule *standard = &ret->rule[0], *daylight = &ret->rule[1];
    int west_sec;
    if (!take_name(&line, ret->names[0]) || !take_time(&line, OFFSET_HOURS_MAX, &west_sec))
        return false;
    standard->abbreviation = ret->names[0];
    standard->offset_sec = standard->offset_before_sec = -west_sec;
    if (line.len == 0)
        return true;
    if (!take_name(&line, ret->names[1]))
        return false;
    daylight->abbreviation = ret->names[1];
    daylight->is_dst = true;
    daylight->offset_sec = standard->offset_sec + HOUR_SEC;
    if (line.len && line.ptr[0] != ',') {
        if (!take_time(&line, OFFSET_HOURS_MAX, &west_sec))
            return false;
        daylight->offset_sec = -west_sec;
    }
    daylight->offset_before_sec = standard->offset_sec;
    standard->offset_before_sec = daylight->offset_sec;
    ret->has_dst = true;
    return take_day(&line, daylight) && take_day(&line, standard) && line.len == 0;
}

/* Days since the epoch on which the rule's midnight falls. */
static int64_t day_in_year(const struct zone_rule *rule, int year) {
    if (rule->month == 0) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        int behind_leap_day = rule->weekday == 1 && leap && rule->week >= 60;
        return clock_days_from_civil(year, 1, 1) + rule->week - 1 + behind_leap_day;
    }
    int64_t first = clock_days_from_civil(year, rule->month, 1);
    int64_t behind =
        rule->month == 12 ? clock_days_from_civil(year + 1, 1, 1) : clock_days_from_civil(year, rule->month + 1, 1);
    int first_weekday = (int)(((first + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    int64_t day = first + (rule->weekday - first_weekday + 7) % 7 + 7 * (rule->week - 1);
    return day < behind ? day : day - 7;
}

int64_t zone_rule_in_year(const struct zone_rule *rule, int year) {
    return day_in_year(rule, year) * DAY_SEC + rule->at_sec - rule->offset_before_sec;
}
