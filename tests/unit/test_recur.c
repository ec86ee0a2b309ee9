/* The dates of repetitions: rules as RFC 5545 means them (the cases are python-dateutil's, too), words, single dates, years. */
#include "unit.h"

#include <errno.h>

#include "mail/recur.h"

static struct when date(const char *text) {
    struct when w = {0};
    if (when_parse(view_of(text), &w) != WHEN_OK)
        fail_msg("no date: %s", text);
    return w;
}

static void show(const struct when *w, struct buf *to) {
    buf_printf(to, "%s%04d-%02d-%02d", to->len ? " " : "", w->year, w->month, w->day);
    if (w->has_time)
        buf_printf(to, "T%02d:%02d", w->hour, w->minute);
}

static void dates_follow_the_rule(void **state) {
    (void)state;
    static const struct {
        const char *text, *start, *after, *want; /* the first four */
    } cases[] = {
        {"yearly", "1995-11-01", NULL, "1995-11-01 1996-11-01 1997-11-01 1998-11-01"},
        {"yearly", "1995-11-01", "2024-11-01", "2025-11-01 2026-11-01 2027-11-01 2028-11-01"},
        {"yearly", "1952-06-15 10:00", "2199-01-01", "2199-06-15T10:00 2200-06-15T10:00"},
        {"monthly", "2025-01-31", NULL, "2025-01-31 2025-02-28 2025-03-31 2025-04-30"},
        {"yearly", "2024-02-29", NULL, "2024-02-29 2025-02-28 2026-02-28 2027-02-28"},
        {"yearly", "2024-02-29", "2027-02-28", "2028-02-29 2029-02-28 2030-02-28 2031-02-28"},
        {"weekly", "2025-12-29 19:00", "2025-12-29 19:00",
         "2026-01-05T19:00 2026-01-12T19:00 2026-01-19T19:00 2026-01-26T19:00"},
        {"daily", "2025-12-30", NULL, "2025-12-30 2025-12-31 2026-01-01 2026-01-02"},
        /* What a month does not have is no date of a rule. */
        {"FREQ=YEARLY", "2024-02-29", NULL, "2024-02-29 2028-02-29 2032-02-29 2036-02-29"},
        {"FREQ=MONTHLY", "2025-01-31", NULL, "2025-01-31 2025-03-31 2025-05-31 2025-07-31"},
        {"FREQ=MONTHLY;BYDAY=1TU", "2025-09-02", NULL, "2025-09-02 2025-10-07 2025-11-04 2025-12-02"},
        {"FREQ=MONTHLY;BYDAY=-1FR", "2025-09-26", "2025-10-01", "2025-10-31 2025-11-28 2025-12-26 2026-01-30"},
        {"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2025-08-29", NULL,
         "2025-08-29 2025-09-30 2025-10-31 2025-11-28"},
        {"FREQ=MONTHLY;BYMONTHDAY=-1", "2025-01-31", NULL, "2025-01-31 2025-02-28 2025-03-31 2025-04-30"},
        {"FREQ=YEARLY;BYMONTH=9;BYDAY=1SU", "2025-09-07", NULL, "2025-09-07 2026-09-06 2027-09-05 2028-09-03"},
        {"FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=MO", "1997-08-04", NULL,
         "1997-08-04 1997-08-10 1997-08-18 1997-08-24"},
        {"FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU", "1997-08-04", NULL,
         "1997-08-04 1997-08-17 1997-08-18 1997-08-31"},
        {"FREQ=DAILY;BYMONTH=1;BYDAY=MO", "2025-01-06", "2025-01-27", "2026-01-05 2026-01-12 2026-01-19 2026-01-26"},
        {"FREQ=DAILY;INTERVAL=10;COUNT=3", "2025-09-02", NULL, "2025-09-02 2025-09-12 2025-09-22"},
        {"FREQ=DAILY;INTERVAL=10;COUNT=3", "2025-09-02", "2025-09-12", "2025-09-22"},
        {"FREQ=WEEKLY;UNTIL=20250916", "2025-09-02 10:00", NULL, "2025-09-02T10:00 2025-09-09T10:00 2025-09-16T10:00"},
        {"FREQ=WEEKLY;UNTIL=20250916T075959Z", "2025-09-02 10:00", NULL, "2025-09-02T10:00 2025-09-09T10:00"},
        {"FREQ=WEEKLY;UNTIL=20250916T080000Z", "2025-09-02 10:00", "2025-09-09 10:00", "2025-09-16T10:00"},
        {"FREQ=WEEKLY;UNTIL=20250901", "2025-09-02", NULL, ""},
        /* The first is a date whatever the rule says, and is counted. */
        {"FREQ=WEEKLY;BYDAY=WE;COUNT=3", "2025-09-02", NULL, "2025-09-02 2025-09-03 2025-09-10"},
        /* A rule that has no second date ends. */
        {"FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29", "2025-02-28", NULL, "2025-02-28"},
        {"FREQ=YEARLY;INTERVAL=99", "2025-02-28", NULL, "2025-02-28 2124-02-28"},
        /* Single dates. */
        {"FREQ=WEEKLY;COUNT=3 +20250904T100000,20250903T120000 -20250909T100000", "2025-09-02 10:00", NULL,
         "2025-09-02T10:00 2025-09-03T12:00 2025-09-04T10:00 2025-09-16T10:00"},
        {"FREQ=WEEKLY;COUNT=3 +20250902T100000 -20250909", "2025-09-02 10:00", NULL,
         "2025-09-02T10:00 2025-09-16T10:00"},
        {"+20251224,20261224", "2025-09-02", NULL, "2025-09-02 2025-12-24 2026-12-24"},
        {"+20251224", "2025-09-02 10:00", "2025-09-02 10:00", "2025-12-24T10:00"},
        {"-20250902", "2025-09-02", NULL, ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf got = BUF_INIT(1000);
        struct recurrence r;
        struct when start = date(cases[i].start), found[4], after = {0};
        struct why why = {0};
        if (cases[i].after)
            after = date(cases[i].after);
        if (recur_read(view_of(cases[i].text), &start, "Europe/Berlin", &r, &why) < 0)
            fail_msg("%s: %s", cases[i].text, why.what);
        size_t n = recur_list(&r, cases[i].after ? &after : NULL, found, COUNT_OF(found));
        for (size_t k = 0; k < n; k++)
            show(&found[k], &got);
        unit_str(cases[i].text, buf_str(&got), cases[i].want);
    }
}

static void what_is_no_repetition(void **state) {
    (void)state;
    static const char *const cases[] = {
        "often",
        "FREQ=SECONDLY",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;UNTIL=20250231",
        "weekly soon",
        "weekly +",
        "weekly +2025",
        "weekly -20250230",
        "weekly +20250902T100000Z",
        "weekly +18991231",
        "FREQ=WEEKLY 3",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct recurrence r;
        struct when start = date("2025-09-02 10:00");
        struct why why = {0};
        if (recur_read(view_of(cases[i]), &start, "Europe/Berlin", &r, &why) != -EINVAL || !why.what[0])
            fail_msg("“%s” is read", cases[i]);
    }
}

static void single_dates_have_a_limit(void **state) {
    (void)state;
    for (int more = 0; more < 2; more++) {
        AUTOBUF struct buf text = BUF_INIT(RECUR_TEXT_MAX_BYTES);
        struct recurrence r;
        struct when start = date("2025-09-02");
        struct why why;
        buf_puts(&text, "weekly ");
        for (int i = 0; i < RECUR_DATES_MAX + more; i++)
            buf_printf(&text, "%c2030%02d%02d", i ? ',' : '+', i / 28 + 1, i % 28 + 1);
        assert_int_equal(recur_read(buf_view(&text), &start, "UTC", &r, &why), more ? -EINVAL : 0);
    }
}

static void years_and_ends(void **state) {
    (void)state;
    static const struct {
        const char *start, *date;
        int years;
    } cases[] = {
        {"1995-11-01", "2025-11-01", 30}, {"1995-11-01", "1995-11-01", 0},  {"1995-11-01", "2025-10-31", 29},
        {"1996-02-29", "2025-02-28", 29}, {"1996-02-29", "2025-02-27", 28}, {"1996-02-29", "2028-02-28", 31},
        {"1996-02-29", "2028-02-29", 32}, {"2025-01-31", "2026-02-28", 1},  {"2025-12-29", "2026-01-05", 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct when start = date(cases[i].start), d = date(cases[i].date);
        unit_int(cases[i].date, recur_years(&start, &d), cases[i].years);
    }
    static const struct {
        const char *start, *end, *date, *want;
    } ends[] = {
        {"2024-06-04", "2024-06-15", "2025-06-04", "2025-06-15"},
        {"2025-09-02 10:00", "2025-09-02 15:30", "2025-10-26 10:00", "2025-10-26T15:30"},
        {"2025-12-31 22:00", "2026-01-01 02:00", "1969-12-31 22:00", "1970-01-01T02:00"},
        {"2025-12-31 22:00", "2026-01-01 02:00", "1960-02-29 22:00", "1960-03-01T02:00"},
    };
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        AUTOBUF struct buf got = BUF_INIT(100);
        struct when start = date(ends[i].start), end = date(ends[i].end), d = date(ends[i].date);
        struct when is = recur_end(&start, &end, &d);
        show(&is, &got);
        unit_str(ends[i].date, buf_str(&got), ends[i].want);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_follow_the_rule),
        cmocka_unit_test(what_is_no_repetition),
        cmocka_unit_test(single_dates_have_a_limit),
        cmocka_unit_test(years_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
