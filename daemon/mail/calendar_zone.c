#include "mail/calendar_zone.h"

#include <libical/ical.h>

#include "base/buf.h"
#include "base/clock.h"

#include "base/banned.h"

enum { DAY_SEC = 86400, WEEK = 5 /* the last of a month */ };

/* Where the zone knows no earlier change: before every event. */
static const struct icaltimetype no_beginning = {.year = 1601, .month = 1, .day = 1};

static struct icaltimetype civil(int64_t sec, int offset_sec) {
    sec += offset_sec;
    int64_t days = sec / DAY_SEC - (sec % DAY_SEC < 0);
    int rest = (int)(sec - days * DAY_SEC);
    struct icaltimetype t = {.hour = rest / 3600, .minute = rest / 60 % 60, .second = rest % 60};
    clock_civil_from_days(days, &t.year, &t.month, &t.day);
    return t;
}

/* A change of the clock; rule NULL or empty where it comes once. */
static void add_change(icalcomponent *zone, bool is_daylight, struct icaltimetype onset, int from_sec, int to_sec,
                       const char *name, const char *rule) {
    icalcomponent *change = icalcomponent_new(is_daylight ? ICAL_XDAYLIGHT_COMPONENT : ICAL_XSTANDARD_COMPONENT);
    icalcomponent_add_property(change, icalproperty_new_dtstart(onset));
    if (rule && *rule)
        icalcomponent_add_property(change, icalproperty_new_rrule(icalrecurrencetype_from_string(rule)));
    icalcomponent_add_property(change, icalproperty_new_tzoffsetfrom(from_sec));
    icalcomponent_add_property(change, icalproperty_new_tzoffsetto(to_sec));
    if (*name)
        icalcomponent_add_property(change, icalproperty_new_tzname(name));
    icalcomponent_add_component(zone, change);
}

/* "FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU". A rule whose time lies on another day than its weekday, as "M3.4.4/26" for the
 * day behind the fourth Thursday, becomes that day among its possible dates; 0 where these span two months. */
static int print_rule(const struct zone_rule *rule, struct buf *to) {
    static const char *const weekdays[] = {"SU", "MO", "TU", "WE", "TH", "FR", "SA"};
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int shift = rule->at_sec / DAY_SEC - (rule->at_sec % DAY_SEC < 0);
    const char *weekday = weekdays[((rule->weekday + shift) % 7 + 7) % 7];
    buf_printf(to, "FREQ=YEARLY;BYMONTH=%d;", rule->month);
    if (shift == 0) {
        buf_printf(to, "BYDAY=%d%s", rule->week == WEEK ? -1 : rule->week, weekday);
        return buf_error(to) < 0 ? buf_error(to) : 1;
    }
    int length = lengths[rule->month - 1];
    int first = (rule->week == WEEK ? length - 6 : 7 * (rule->week - 1) + 1) + shift, last = first + 6;
    if (first < 1 || last > length || (rule->week == WEEK && rule->month == 2))
        return 0;
    buf_puts(to, "BYMONTHDAY=");
    for (int day = first; day <= last; day++)
        buf_printf(to, "%s%d", day > first ? "," : "", day);
    buf_printf(to, ";BYDAY=%s", weekday);
    return buf_error(to) < 0 ? buf_error(to) : 1;
}

/* 1 where it has such rules, 0 where not, or a negative errno. */
static int add_rules(icalcomponent *zone, const struct zone *z, int64_t start_sec) {
    struct zone_rule rules[2];
    struct zone_span span;
    int r;
    if (!zone_rules(z, start_sec, rules))
        return 0;
    AUTOBUF struct buf first = BUF_INIT(256), second = BUF_INIT(256);
    if ((r = print_rule(&rules[0], &first)) <= 0 || (r = print_rule(&rules[1], &second)) <= 0)
        return r;
    zone_span(z, start_sec, &span);
    struct icaltimetype onset = civil(span.from_sec, rules[0].offset_before_sec);
    /* the other rule's last time before that */
    int64_t other_sec = zone_rule_in_year(&rules[1], onset.year);
    if (other_sec >= span.from_sec)
        other_sec = zone_rule_in_year(&rules[1], onset.year - 1);
    struct icaltimetype other = civil(other_sec, rules[1].offset_before_sec);
    add_change(zone, rules[0].offset_sec > rules[0].offset_before_sec, onset, rules[0].offset_before_sec,
               rules[0].offset_sec, rules[0].abbreviation, buf_str(&first));
    add_change(zone, rules[1].offset_sec > rules[1].offset_before_sec, other, rules[1].offset_before_sec,
               rules[1].offset_sec, rules[1].abbreviation, buf_str(&second));
    return 1;
}

static void add_spans(icalcomponent *zone, const struct zone *z, int64_t start_sec, int64_t until_sec) {
    struct zone_span span, before;
    zone_span(z, start_sec, &span);
    for (int i = 0; i < CALENDAR_ZONE_SPANS_MAX; i++) {
        before = span;
        if (span.from_sec != INT64_MIN)
            zone_span(z, span.from_sec - 1, &before);
        add_change(zone, span.is_dst && span.offset_sec > before.offset_sec,
                   span.from_sec == INT64_MIN ? no_beginning : civil(span.from_sec, before.offset_sec),
                   before.offset_sec, span.offset_sec, span.abbreviation, NULL);
        if (span.until_sec > until_sec)
            break;
        zone_span(z, span.until_sec, &span);
    }
}

icalcomponent *calendar_zone_make(const struct zone *z, int64_t start_sec, int64_t until_sec) {
    icalcomponent *zone = icalcomponent_new(ICAL_VTIMEZONE_COMPONENT);
    if (!zone)
        return NULL;
    icalcomponent_add_property(zone, icalproperty_new_tzid(zone_name(z)));
    int r = add_rules(zone, z, start_sec);
    if (r == 0)
        add_spans(zone, z, start_sec, until_sec);
    if (r >= 0)
        return zone;
    icalcomponent_free(zone);
    return NULL;
}
