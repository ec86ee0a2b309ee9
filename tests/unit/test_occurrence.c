/* The moments of recurring announcements: seven days ahead, at nine, through changes of clocks; what is next, and what is too late. */
#include "unit.h"

#include <errno.h>

#include "announce/occurrence.h"
#include "base/clock.h"

static struct when date(const char *text) {
    struct when w = {0};
    if (when_parse(view_of(text), &w) != WHEN_OK)
        fail_msg("no date: %s", text);
    return w;
}

static void make(struct occurrence_rule *rule, const char *repeat, const char *start, const char *end, int days,
                 const char *zone) {
    struct why why = {0};
    struct when w = date(start);
    *rule = (struct occurrence_rule){.end = date(end), .zone = zone, .before_days = days};
    if (recur_read(view_of(repeat), &w, zone, &rule->recurrence, &why) < 0)
        fail_msg("%s: %s", repeat, why.what);
}

static void moments(void **state) {
    (void)state;
    static const struct {
        const char *repeat, *start, *end, *zone;
        int days;
        const char *after, *want; /* date, held, sent, too late */
    } cases[] = {
        {"yearly", "1995-11-01", "1995-11-01", "Europe/Berlin", 0, "2024-12-01",
         "2025-11-01 2025-10-25T08:00:00Z 2025-11-01T08:00:00Z 2025-11-01T23:00:00Z"},
        {"yearly", "1995-11-01", "1995-11-01", "Europe/Berlin", 14, "2024-12-01",
         "2025-11-01 2025-10-11T07:00:00Z 2025-10-18T07:00:00Z 2025-10-21T07:00:00Z"},
        {"monthly", "2025-01-31 19:00", "2025-01-31 21:00", "America/La_Paz", 1, "2025-02-01",
         "2025-02-28 19:00 2025-02-20T13:00:00Z 2025-02-27T13:00:00Z 2025-03-01T01:00:00Z"},
        /* Into the gap of a clock change: as the clock shows it then. */
        {"daily", "2025-03-29 02:30", "2025-03-29 03:30", "Europe/Berlin", 0, "2025-03-29 02:30",
         "2025-03-30 03:00 2025-03-23T07:00:00Z 2025-03-30T07:00:00Z 2025-03-30T02:00:00Z"},
        /* A day that a zone left out. */
        {"daily", "2011-12-29", "2011-12-29", "Pacific/Apia", 0, "2011-12-29",
         "2011-12-31 2011-12-23T19:00:00Z 2011-12-30T19:00:00Z 2011-12-31T10:00:00Z"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf got = BUF_INIT(1000);
        struct occurrence_rule rule;
        struct occurrence o;
        struct when after = date(cases[i].after);
        make(&rule, cases[i].repeat, cases[i].start, cases[i].end, cases[i].days, cases[i].zone);
        assert_int_equal(occurrence_list(&rule, &after, &o, 1), 1);
        occurrence_print(&o.start, &got);
        const int64_t at[] = {o.held_at_usec, o.send_at_usec, o.too_late_usec};
        for (size_t k = 0; k < COUNT_OF(at); k++) {
            buf_putc(&got, ' ');
            clock_print_utc(&got, at[k]);
        }
        unit_str(cases[i].start, buf_str(&got), cases[i].want);
    }
}

static void next_and_too_late(void **state) {
    (void)state;
    static const struct {
        const char *now;
        bool catch_up;
        const char *want;
    } cases[] = {
        {"2025-11-01T07:59:59Z", false, "2025-11-01"}, {"2025-11-01T08:00:00Z", false, "2026-11-01"},
        {"2025-11-01T08:00:00Z", true, "2025-11-01"},  {"2025-11-01T22:59:59Z", true, "2025-11-01"},
        {"2025-11-01T23:00:00Z", true, "2026-11-01"},  {"1990-01-01T00:00:00Z", false, "1995-11-01"},
        {"2200-10-01T00:00:00Z", false, "2200-11-01"}, {"2201-01-01T00:00:00Z", true, ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf got = BUF_INIT(100);
        struct occurrence_rule rule;
        struct occurrence o;
        int64_t now;
        make(&rule, "yearly", "1995-11-01", "1995-11-01", 0, "Europe/Berlin");
        assert_int_equal(clock_parse_utc(view_of(cases[i].now), &now), 0);
        if (occurrence_next(&rule, NULL, now, cases[i].catch_up, &o))
            occurrence_print(&o.start, &got);
        unit_str(cases[i].now, buf_str(&got), cases[i].want);
    }
    struct occurrence_rule ended;
    struct occurrence o;
    make(&ended, "FREQ=DAILY;COUNT=999", "2020-01-01", "2020-01-01", 0, "Europe/Berlin");
    assert_false(occurrence_next(&ended, NULL, INT64_C(1754294400) * 1000000, true, &o));
}

static void days(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int want;
    } cases[] = {{"14d", 14},      {"2w", 14}, {"0d", 0},       {" 1d ", 1},   {"366d", 366},    {"367d", -EINVAL},
                 {"36h", -EINVAL}, {"48h", 2}, {"14", -EINVAL}, {"", -EINVAL}, {"-3d", -EINVAL}, {"soon", -EINVAL}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int n = -1, r = occurrence_read_days(view_of(cases[i].text), &n);
        unit_int(cases[i].text, r < 0 ? r : n, cases[i].want);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments),
        cmocka_unit_test(next_and_too_late),
        cmocka_unit_test(days),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
