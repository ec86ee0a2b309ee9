/* Dates as people write them, in time zones and in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/number.h"
#include "mail/when.h"
#include "mail/words.h"

static const char *show(const struct when *w) {
    static char text[64];
    if (w->has_time)
        snprintf(text, sizeof text, "%04d-%02d-%02d %02d:%02d:%02d", w->year, w->month, w->day, w->hour, w->minute,
                 w->second);
    else
        snprintf(text, sizeof text, "%04d-%02d-%02d", w->year, w->month, w->day);
    return text;
}

static struct when read_date(const char *text) {
    struct when w;
    if (when_parse(view_of(text), &w) != WHEN_OK)
        fail_msg("“%s” is not read", text);
    return w;
}

static void reads_dates(void **state) {
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"2025-09-02", "2025-09-02"},
        {"2025-9-2", "2025-09-02"},
        {"2.9.2025", "2025-09-02"},
        {"02.09.2025", "2025-09-02"},
        {"2. 9. 2025", "2025-09-02"},
        {"02. 09.2025", "2025-09-02"},
        {"  2.9.2025\t", "2025-09-02"},
        {"2.9.2025\r\n", "2025-09-02"},
        {"29.2.2024", "2024-02-29"},
        {"29.2.2000", "2000-02-29"},
        {"31.12.1999", "1999-12-31"},
        {"1900-01-01", "1900-01-01"},
        {"2200-12-31", "2200-12-31"},
        {"2025-09-02 10:00", "2025-09-02 10:00:00"},
        {"2025-09-02 9:05", "2025-09-02 09:05:00"},
        {"2025-09-02T10:00", "2025-09-02 10:00:00"},
        {"2025-09-02T10:00:30", "2025-09-02 10:00:30"},
        {"2025-09-02, 10:00", "2025-09-02 10:00:00"},
        {"2025-09-02  10:00", "2025-09-02 10:00:00"},
        {"2.9.2025 10:00", "2025-09-02 10:00:00"},
        {"2.9.2025, 10:00", "2025-09-02 10:00:00"},
        {"2.9.2025,10:00", "2025-09-02 10:00:00"},
        {"2.9.2025 10.00", "2025-09-02 10:00:00"},
        {"02.09.2025, 10.00 Uhr", "2025-09-02 10:00:00"},
        {"02.09.2025 10:00 Uhr", "2025-09-02 10:00:00"},
        {"02.09.2025 10:00Uhr", "2025-09-02 10:00:00"},
        {"2.9.2025 10:00 uhr", "2025-09-02 10:00:00"},
        {"2.9.2025 um 10 Uhr", "2025-09-02 10:00:00"},
        {"2.9.2025, um 10:15 Uhr", "2025-09-02 10:15:00"},
        {"2.9.2025 10 Uhr", "2025-09-02 10:00:00"},
        {"2.9.2025 9h30", "2025-09-02 09:30:00"},
        {"2.9.2025 9h", "2025-09-02 09:00:00"},
        {"2.9.2025 à 9 h 30", "2025-09-02 09:30:00"},
        {"2.9.2025 \303\240 9\302\240h\302\24030", "2025-09-02 09:30:00"},
        {"2.9.2025 \303\240 9\342\200\257h\342\200\25730", "2025-09-02 09:30:00"},
        {"2.9.2025 10 h", "2025-09-02 10:00:00"},
        {"2.9.2025 10:00 h", "2025-09-02 10:00:00"},
        {"2.9.2025 ore 10:00", "2025-09-02 10:00:00"},
        {"2.9.2025 alle ore 10.30", "2025-09-02 10:30:00"},
        {"2.9.2025 godz. 10:00", "2025-09-02 10:00:00"},
        {"2.9.2025 o 10:00", "2025-09-02 10:00:00"},
        {"2.9.2025 о 10:00", "2025-09-02 10:00:00"},
        {"2.9.2025 at 10:00", "2025-09-02 10:00:00"},
        {"2.9.2025\302\24010:00", "2025-09-02 10:00:00"},
        {"2025-09-02 00:00", "2025-09-02 00:00:00"},
        {"2025-09-02 23:59", "2025-09-02 23:59:00"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct when w;
        if (when_parse(view_of(cases[i].text), &w) != WHEN_OK)
            fail_msg("“%s” is not read", cases[i].text);
        assert_string_equal(show(&w), cases[i].want);
    }
}

static void refuses_dates(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum when_fault want;
    } cases[] = {
        {"", WHEN_NOT_A_DATE},
        {" ", WHEN_NOT_A_DATE},
        {"tomorrow", WHEN_NOT_A_DATE},
        {"2/9/2025", WHEN_NOT_A_DATE},
        {"09/02/2025 10:00", WHEN_NOT_A_DATE},
        {"2-9-2025", WHEN_NOT_A_DATE},
        {"2.9.25", WHEN_NOT_A_DATE},
        {"25-09-02", WHEN_NOT_A_DATE},
        {"2.9.", WHEN_NOT_A_DATE},
        {"2.9.20255", WHEN_NOT_A_DATE},
        {"2.9.02025", WHEN_NOT_A_DATE},
        {"202.9.2025", WHEN_NOT_A_DATE},
        {"-2.9.2025", WHEN_NOT_A_DATE},
        {"+2025-09-02", WHEN_NOT_A_DATE},
        {"2025-09", WHEN_NOT_A_DATE},
        {"2025-09-021", WHEN_NOT_A_DATE},
        {"20250902", WHEN_NOT_A_DATE},
        {"2025-09-02T", WHEN_NOT_A_DATE},
        {"2025-09-02 ,", WHEN_NOT_A_DATE},
        {"2025-09-02,", WHEN_NOT_A_DATE},
        {"2025-09-0210:00", WHEN_NOT_A_DATE},
        {"2.9.2025T10:00", WHEN_NOT_A_DATE},
        {"2025-09-02 10", WHEN_NOT_A_DATE},
        {"2025-09-02 10:0", WHEN_NOT_A_DATE},
        {"2025-09-02 10:000", WHEN_NOT_A_DATE},
        {"2025-09-02 100:00", WHEN_NOT_A_DATE},
        {"2025-09-02 10:00:00:00", WHEN_NOT_A_DATE},
        {"2025-09-02 10:00Z", WHEN_NOT_A_DATE},
        {"2025-09-02T10:00:00+02:00", WHEN_NOT_A_DATE},
        {"2025-09-02 10:00 am", WHEN_NOT_A_DATE},
        {"2025-09-02 10:00 - 11:00", WHEN_NOT_A_DATE},
        {"2025-09-02 10 : 00", WHEN_NOT_A_DATE},
        {"2.9.2025 10:00 Uhrzeit", WHEN_NOT_A_DATE},
        {"2.9.2025 \xff", WHEN_NOT_A_DATE},
        {"Di, 2.9.2025", WHEN_NOT_A_DATE},
        {"31.2.2025", WHEN_NO_SUCH_DAY},
        {"29.2.2025", WHEN_NO_SUCH_DAY},
        {"29.2.1900", WHEN_NO_SUCH_DAY},
        {"31.4.2025", WHEN_NO_SUCH_DAY},
        {"0.9.2025", WHEN_NO_SUCH_DAY},
        {"1.0.2025", WHEN_NO_SUCH_DAY},
        {"2.13.2025", WHEN_NO_SUCH_DAY},
        {"2025-13-02 99:99", WHEN_NO_SUCH_DAY},
        {"32.1.2025", WHEN_NO_SUCH_DAY},
        {"31.12.1899", WHEN_NO_SUCH_DAY},
        {"1.1.2201", WHEN_NO_SUCH_DAY},
        {"2.9.2025 25:00", WHEN_NO_SUCH_TIME},
        {"2.9.2025 24:00", WHEN_NO_SUCH_TIME},
        {"2.9.2025 10:60", WHEN_NO_SUCH_TIME},
        {"2.9.2025 10:00:60", WHEN_NO_SUCH_TIME},
        {"2.9.2025 24 Uhr", WHEN_NO_SUCH_TIME},
        {"2.9.2025 9h75", WHEN_NO_SUCH_TIME},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct when w = {.year = 77};
        if (when_parse(view_of(cases[i].text), &w) != cases[i].want)
            fail_msg("“%s” gives another fault", cases[i].text);
        assert_int_equal(w.year, 77);
    }
}

static void caps_the_input(void **state) {
    (void)state;
    char text[WHEN_INPUT_MAX + 1];
    memset(text, ' ', sizeof text);
    memcpy(text, "2025-09-02", 10);
    struct when w;
    assert_int_equal(when_parse(view_make(text, WHEN_INPUT_MAX), &w), WHEN_OK);
    assert_int_equal(when_parse(view_make(text, WHEN_INPUT_MAX + 1), &w), WHEN_NOT_A_DATE);
    memcpy(text, "10:00     ", 10);
    assert_int_equal(when_parse_time(view_make(text, WHEN_INPUT_MAX), &w), WHEN_OK);
    assert_int_equal(when_parse_time(view_make(text, WHEN_INPUT_MAX + 1), &w), WHEN_NOT_A_DATE);
}

static void reads_times(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum when_fault fault;
        int hour, minute, second;
    } cases[] = {
        {"10:00", WHEN_OK, 10, 0, 0},          {"10.00", WHEN_OK, 10, 0, 0},
        {"9h30", WHEN_OK, 9, 30, 0},           {"9 h 30", WHEN_OK, 9, 30, 0},
        {" 9 Uhr ", WHEN_OK, 9, 0, 0},         {"15.30 Uhr", WHEN_OK, 15, 30, 0},
        {"14:30:15", WHEN_OK, 14, 30, 15},     {"00:00", WHEN_OK, 0, 0, 0},
        {"10", WHEN_NOT_A_DATE, 0, 0, 0},      {"", WHEN_NOT_A_DATE, 0, 0, 0},
        {"h30", WHEN_NOT_A_DATE, 0, 0, 0},     {"9h3", WHEN_NOT_A_DATE, 0, 0, 0},
        {"10:00 x", WHEN_NOT_A_DATE, 0, 0, 0}, {"24:00", WHEN_NO_SUCH_TIME, 0, 0, 0},
        {"9:61", WHEN_NO_SUCH_TIME, 0, 0, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct when w = {.year = 2025, .month = 9, .day = 2, .hour = 77};
        if (when_parse_time(view_of(cases[i].text), &w) != cases[i].fault)
            fail_msg("“%s” gives another fault", cases[i].text);
        assert_int_equal(w.day, 2);
        assert_false(w.has_time);
        if (cases[i].fault == WHEN_OK) {
            assert_int_equal(w.hour, cases[i].hour);
            assert_int_equal(w.minute, cases[i].minute);
            assert_int_equal(w.second, cases[i].second);
        } else {
            assert_int_equal(w.hour, 77);
        }
    }
}

static void knows_zones(void **state) {
    (void)state;
    static const char *const yes[] = {"Europe/Berlin",
                                      "Europe/Kyiv",
                                      "UTC",
                                      "Etc/UTC",
                                      "Etc/GMT+12",
                                      "Asia/Kathmandu",
                                      "America/Argentina/Buenos_Aires",
                                      "Australia/Lord_Howe",
                                      "CET"};
    static const char *const no[] = {
        "",
        "Europe",
        "Europe/",
        "/Europe/Berlin",
        "Europe/Berlin/",
        "Europe//Berlin",
        "../../../etc/passwd",
        "Europe/../UTC",
        "europe/berlin",
        "CET-1CEST",
        ":UTC",
        "<+01>-1",
        "right/UTC",
        "posix/Europe/Berlin",
        "localtime",
        "posixrules",
        "zone.tab",
        "tzdata.zi",
        "Europe/Atlantis",
        "Europe/Berlin\n",
        "Europe/Ber lin",
        "W. Europe Standard Time",
    };
    for (size_t i = 0; i < COUNT_OF(yes); i++)
        if (!when_zone_exists(yes[i]))
            fail_msg("no %s", yes[i]);
    for (size_t i = 0; i < COUNT_OF(no); i++)
        if (when_zone_exists(no[i]))
            fail_msg("a zone “%s”", no[i]);
    char longest[80];
    memset(longest, 'a', sizeof longest);
    longest[79] = '\0';
    assert_false(when_zone_exists(longest));
}

static void converts(void **state) {
    (void)state;
    static const struct {
        const char *civil, *zone, *utc; /* utc "" where there is no such time, "-" where there is no such day */
    } cases[] = {
        {"2025-09-02 10:00", "Europe/Berlin", "2025-09-02T08:00:00Z"},
        {"2025-12-02 10:00", "Europe/Berlin", "2025-12-02T09:00:00Z"},
        {"2025-09-02", "Europe/Berlin", "2025-09-01T22:00:00Z"},
        {"2025-09-02 10:00", "Europe/Kyiv", "2025-09-02T07:00:00Z"},
        {"2025-09-02 10:00", "UTC", "2025-09-02T10:00:00Z"},
        {"2025-09-02 10:00", "Asia/Kathmandu", "2025-09-02T04:15:00Z"},
        /* the gap, both of its edges, and the overlap's first */
        {"2025-03-30 01:59:59", "Europe/Berlin", "2025-03-30T00:59:59Z"},
        {"2025-03-30 02:00", "Europe/Berlin", ""},
        {"2025-03-30 02:30", "Europe/Berlin", ""},
        {"2025-03-30 02:59:59", "Europe/Berlin", ""},
        {"2025-03-30 03:00", "Europe/Berlin", "2025-03-30T01:00:00Z"},
        {"2025-10-26 01:59:59", "Europe/Berlin", "2025-10-25T23:59:59Z"},
        {"2025-10-26 02:00", "Europe/Berlin", "2025-10-26T00:00:00Z"},
        {"2025-10-26 02:30", "Europe/Berlin", "2025-10-26T00:30:00Z"},
        {"2025-10-26 02:59:59", "Europe/Berlin", "2025-10-26T00:59:59Z"},
        {"2025-10-26 03:00", "Europe/Berlin", "2025-10-26T02:00:00Z"},
        /* far behind what the file lists; parliaments may change what other zones do by then */
        {"2200-12-31 23:59", "Etc/GMT-1", "2200-12-31T22:59:00Z"},
        {"1900-01-01 12:00", "Europe/Berlin", "1900-01-01T11:00:00Z"},
        {"1944-06-06 06:00", "Europe/Berlin", "1944-06-06T04:00:00Z"},
        {"1970-07-01 12:00", "Europe/London", "1970-07-01T11:00:00Z"}, /* summer time all the year */
        {"1970-01-01 00:30", "Europe/Berlin", "1969-12-31T23:30:00Z"},
        /* half an hour of daylight saving */
        {"2025-04-06 01:45", "Australia/Lord_Howe", "2025-04-05T14:45:00Z"},
        {"2025-04-06 02:00", "Australia/Lord_Howe", "2025-04-05T15:30:00Z"},
        {"2025-10-05 01:59", "Australia/Lord_Howe", "2025-10-04T15:29:00Z"},
        {"2025-10-05 02:15", "Australia/Lord_Howe", ""},
        {"2025-10-05 02:30", "Australia/Lord_Howe", "2025-10-04T15:30:00Z"},
        /* summer time in some years only */
        {"2014-07-01 12:00", "Asia/Ulaanbaatar", "2014-07-01T04:00:00Z"},
        {"2015-07-01 12:00", "Asia/Ulaanbaatar", "2015-07-01T03:00:00Z"},
        {"2016-07-01 12:00", "Asia/Ulaanbaatar", "2016-07-01T03:00:00Z"},
        {"2025-07-01 12:00", "Asia/Ulaanbaatar", "2025-07-01T04:00:00Z"},
        {"1985-12-31 23:45", "Asia/Kathmandu", "1985-12-31T18:15:00Z"},
        {"1986-01-01 00:05", "Asia/Kathmandu", ""},
        /* midnight itself is in the gap: the day begins at 01:00 */
        {"2023-04-28", "Africa/Cairo", "2023-04-27T22:00:00Z"},
        {"2023-04-28 00:30", "Africa/Cairo", ""},
        {"2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z"},
        /* a day that Samoa never had */
        {"2011-12-30", "Pacific/Apia", "-"},
        {"2011-12-30 12:00", "Pacific/Apia", "-"},
        {"2011-12-31", "Pacific/Apia", "2011-12-30T10:00:00Z"},
        /* daylight saving the other way round, and changes on the eve of a Sunday */
        {"2025-01-15 12:00", "Europe/Dublin", "2025-01-15T12:00:00Z"},
        {"2025-07-15 12:00", "Europe/Dublin", "2025-07-15T11:00:00Z"},
        {"2025-03-30 00:30", "America/Nuuk", "2025-03-30T01:30:00Z"},
        {"2025-03-29 23:30", "America/Nuuk", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct when w = read_date(cases[i].civil), back;
        int64_t usec = -1;
        enum when_fault fault = when_to_usec(&w, cases[i].zone, &usec);
        AUTOBUF struct buf utc = BUF_INIT(64);
        if (fault == WHEN_OK)
            clock_print_utc(&utc, usec);
        else if (fault == WHEN_NO_SUCH_DAY)
            buf_puts(&utc, "-");
        else
            assert_int_equal(fault, WHEN_NO_SUCH_TIME);
        if (strcmp(buf_str(&utc), cases[i].utc) != 0)
            fail_msg("%s %s is %s, not %s", cases[i].civil, cases[i].zone, buf_str(&utc), cases[i].utc);
        if (fault == WHEN_OK && w.has_time) {
            assert_int_equal(when_from_usec(usec, cases[i].zone, &back), 0);
            assert_int_equal(when_cmp(&w, &back), 0);
        }
    }
    struct when w = read_date("2025-09-02");
    int64_t usec = 5;
    assert_int_equal(when_to_usec(&w, "Europe/Atlantis", &usec), WHEN_BAD_ZONE);
    assert_int_equal(when_from_usec(0, "Europe/Atlantis", &w), -EINVAL);
    w.month = 13;
    assert_int_equal(when_to_usec(&w, "UTC", &usec), WHEN_NO_SUCH_DAY);
    w = read_date("2025-09-02 10:00");
    w.minute = -1;
    assert_int_equal(when_to_usec(&w, "UTC", &usec), WHEN_NO_SUCH_TIME);
    w.year = 10000;
    assert_int_equal(when_to_usec(&w, "UTC", &usec), WHEN_NO_SUCH_DAY);
    assert_int_equal(usec, 5);
}

static void there_and_back(void **state) {
    (void)state;
    static const char *const zones[] = {"Europe/Berlin",    "Australia/Lord_Howe", "Asia/Kathmandu", "Asia/Ulaanbaatar",
                                        "America/St_Johns", "Africa/Casablanca",   "Pacific/Apia"};
    /* Every hour and minute comes by: the step is coprime to both. */
    const int64_t step_usec = (13 * 86400 + 5 * 3600 + 7 * 60 + 1) * USEC_PER_SEC;
    const int64_t end_usec = clock_days_from_civil(2200, 12, 31) * USEC_PER_DAY;
    for (size_t i = 0; i < COUNT_OF(zones); i++)
        for (int64_t usec = clock_days_from_civil(1900, 1, 2) * USEC_PER_DAY; usec < end_usec; usec += step_usec) {
            struct when w, again;
            int64_t back_usec;
            assert_int_equal(when_from_usec(usec, zones[i], &w), 0);
            assert_int_equal(when_to_usec(&w, zones[i], &back_usec), WHEN_OK);
            assert_int_equal(when_from_usec(back_usec, zones[i], &again), 0);
            assert_int_equal(when_cmp(&w, &again), 0);
            assert_true(back_usec <= usec && usec - back_usec <= 2 * USEC_PER_HOUR); /* in an overlap the first */
            assert_true(when_is_valid(&w));
        }
}

static void refuses_moments_without_a_year(void **state) {
    (void)state;
    struct when w;
    assert_int_equal(when_from_usec(INT64_MAX, "Europe/Berlin", &w), -EINVAL);
    assert_int_equal(when_from_usec(INT64_MIN, "Europe/Berlin", &w), -EINVAL);
    assert_int_equal(when_from_usec(clock_days_from_civil(10000, 1, 1) * USEC_PER_DAY, "UTC", &w), -EINVAL);
    assert_int_equal(when_from_usec(clock_days_from_civil(10000, 1, 1) * USEC_PER_DAY - 1, "UTC", &w), 0);
    assert_string_equal(show(&w), "9999-12-31 23:59:59");
    assert_int_equal(when_from_usec(clock_days_from_civil(0, 1, 1) * USEC_PER_DAY, "UTC", &w), 0);
    assert_int_equal(when_from_usec(clock_days_from_civil(0, 1, 1) * USEC_PER_DAY - 1, "UTC", &w), -EINVAL);
    assert_int_equal(when_from_usec(-1, "UTC", &w), 0);
    assert_string_equal(show(&w), "1969-12-31 23:59:59");
}

static void offsets(void **state) {
    (void)state;
    static const struct {
        const char *at, *zone;
        int minutes;
        const char *abbreviation;
    } cases[] = {
        {"2025-09-02T08:00:00Z", "Europe/Berlin", 120, "CEST"},
        {"2025-12-02T08:00:00Z", "Europe/Berlin", 60, "CET"},
        {"2025-12-02T08:00:00Z", "Asia/Kathmandu", 345, "+0545"},
        {"2025-12-02T08:00:00Z", "Australia/Lord_Howe", 660, "+11"},
        {"2025-07-02T08:00:00Z", "America/St_Johns", -150, "NDT"},
        {"2025-07-02T08:00:00Z", "UTC", 0, "UTC"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t usec;
        int minutes;
        char abbreviation[16];
        assert_int_equal(clock_parse_utc(view_of(cases[i].at), &usec), 0);
        assert_int_equal(when_offset(usec, cases[i].zone, &minutes, abbreviation), 0);
        assert_int_equal(minutes, cases[i].minutes);
        assert_string_equal(abbreviation, cases[i].abbreviation);
    }
    int minutes;
    char abbreviation[16];
    assert_int_equal(when_offset(0, "nowhere", &minutes, abbreviation), -EINVAL);
}

static void orders(void **state) {
    (void)state;
    static const char *const rising[] = {"1999-12-31 23:59", "2000-01-01", "2000-01-01 00:00", "2000-01-01 00:00:01",
                                         "2000-01-01 01:00", "2000-01-02", "2000-02-01",       "2001-01-01"};
    for (size_t i = 0; i < COUNT_OF(rising); i++)
        for (size_t k = 0; k < COUNT_OF(rising); k++) {
            struct when a = read_date(rising[i]), b = read_date(rising[k]);
            int order = when_cmp(&a, &b);
            assert_true(i < k ? order < 0 : i > k ? order > 0 : order == 0);
        }
}

static void counts_days(void **state) {
    (void)state;
    struct when w = read_date("2024-02-28 10:00");
    when_add_days(&w, 1);
    assert_string_equal(show(&w), "2024-02-29 10:00:00");
    when_add_days(&w, 307);
    assert_string_equal(show(&w), "2025-01-01 10:00:00");
    when_add_days(&w, -1);
    assert_string_equal(show(&w), "2024-12-31 10:00:00");
    static const struct {
        const char *date;
        int weekday;
    } cases[] = {{"2025-09-01", 1}, {"2025-09-02", 2}, {"2025-09-07", 7}, {"1900-01-01", 1},
                 {"2200-01-01", 3}, {"1970-01-01", 4}, {"1969-12-31", 3}, {"2000-02-29", 2}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        w = read_date(cases[i].date);
        assert_int_equal(when_weekday(&w), cases[i].weekday);
    }
}

static void prints_rfc5322(void **state) {
    (void)state;
    static const struct {
        const char *at, *zone, *want;
    } cases[] = {
        {"2025-09-02T08:00:00Z", "Europe/Berlin", "Tue, 02 Sep 2025 10:00:00 +0200"},
        {"2025-12-31T23:30:00Z", "Europe/Berlin", "Thu, 01 Jan 2026 00:30:00 +0100"},
        {"2025-09-02T08:00:00Z", "UTC", "Tue, 02 Sep 2025 08:00:00 +0000"},
        {"2025-09-02T08:00:00Z", "nowhere", "Tue, 02 Sep 2025 08:00:00 -0000"},
        {"2025-07-02T08:00:00Z", "America/St_Johns", "Wed, 02 Jul 2025 05:30:00 -0230"},
        {"2025-07-02T08:00:00Z", "Asia/Kathmandu", "Wed, 02 Jul 2025 13:45:00 +0545"},
        {"1890-01-01T00:00:00Z", "Europe/Berlin", "Wed, 01 Jan 1890 00:53:00 +0053"}, /* 53 min 28 s */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t usec;
        AUTOBUF struct buf text = BUF_INIT(64);
        assert_int_equal(clock_parse_utc(view_of(cases[i].at), &usec), 0);
        when_print_rfc5322(usec, cases[i].zone, &text);
        assert_string_equal(buf_str(&text), cases[i].want);
    }
}

static struct words *load(const char *language) {
    struct why why;
    struct words *w;
    if (words_load("", "templates", language, &why, &w) < 0)
        fail_msg("%s: %s", why.where, why.what);
    return w;
}

static void says(void **state) {
    (void)state;
    static const struct {
        const char *language, *start, *end, *want; /* end "": when_say */
    } cases[] = {
        {"de", "2025-09-02", "", "Dienstag, 2. September 2025"},
        {"de", "2025-09-02 10:00", "", "Dienstag, 2. September 2025, 10:00 Uhr"},
        {"de", "2025-09-02 10:00", "2025-09-02 15:30", "Dienstag, 2. September 2025, 10:00 bis 15:30 Uhr"},
        {"de", "2025-09-02 10:00", "2025-09-02 10:00", "Dienstag, 2. September 2025, 10:00 Uhr"},
        {"de", "2025-09-30 18:00", "2025-10-01 9:05",
         "Dienstag, 30. September, 18:00 Uhr bis Mittwoch, 1. Oktober 2025, 9:05 Uhr"},
        {"de", "2025-12-31 18:00", "2026-01-01 1:00",
         "Mittwoch, 31. Dezember 2025, 18:00 Uhr bis Donnerstag, 1. Januar 2026, 1:00 Uhr"},
        {"de", "2025-09-02", "2025-09-02", "Dienstag, 2. September 2025"},
        {"de", "2024-06-04", "2024-06-15", "Dienstag, 4. Juni bis Samstag, 15. Juni 2024"},
        {"de", "2025-12-29", "2026-01-02", "Montag, 29. Dezember 2025 bis Freitag, 2. Januar 2026"},
        {"en", "2025-09-02", "", "Tuesday, 2 September 2025"},
        {"en", "2025-09-02 10:00", "", "Tuesday, 2 September 2025, 10:00"},
        {"en", "2025-09-02 10:00", "2025-09-02 15:30", "Tuesday, 2 September 2025, 10:00 to 15:30"},
        {"en", "2024-06-04", "2024-06-15", "from Tuesday, 4 June to Saturday, 15 June 2024"},
        {"en", "2024-06-28", "2024-07-02", "from Friday, 28 June to Tuesday, 2 July 2024"},
        {"en", "2025-12-29", "2026-01-02", "from Monday, 29 December 2025 to Friday, 2 January 2026"},
        {"en", "2025-09-30 18:00", "2025-10-01 9:00",
         "from Tuesday, 30 September, 18:00 to Wednesday, 1 October 2025, 9:00"},
        {"en", "2025-12-31 18:00", "2026-01-01 1:00",
         "from Wednesday, 31 December 2025, 18:00 to Thursday, 1 January 2026, 1:00"},
        {"fr", "2025-09-02 10:00", "", "mardi 2 septembre 2025 à 10 h 00"},
        {"fr", "2025-09-02 10:00", "2025-09-02 15:30", "mardi 2 septembre 2025, de 10 h 00 à 15 h 30"},
        {"fr", "2025-07-01", "", "mardi 1er juillet 2025"},
        {"fr", "2024-06-04", "2024-07-01", "du mardi 4 juin au lundi 1er juillet 2024"},
        {"fr", "2025-12-31 18:00", "2026-01-01 1:00",
         "du mercredi 31 décembre 2025 à 18 h 00 au jeudi 1er janvier 2026 à 1 h 00"},
        {"fr", "2025-09-30 18:00", "2025-10-01 9:05",
         "du mardi 30 septembre à 18 h 00 au mercredi 1er octobre 2025 à 9 h 05"},
        {"it", "2025-09-02 10:00", "2025-09-02 15:30", "martedì 2 settembre 2025, dalle ore 10:00 alle ore 15:30"},
        {"it", "2025-07-01 10:00", "", "martedì 1º luglio 2025, ore 10:00"},
        {"it", "2024-06-04", "2024-06-15", "da martedì 4 giugno a sabato 15 giugno 2024"},
        {"pl", "2025-09-02", "", "wtorek, 2 września 2025"},
        {"pl", "2025-09-02 10:00", "2025-09-02 15:30", "wtorek, 2 września 2025, 10:00–15:30"},
        {"pl", "2024-06-04", "2024-06-15", "wtorek, 4 czerwca – sobota, 15 czerwca 2024"},
        {"uk", "2025-09-02", "", "вівторок, 2 вересня 2025 р."},
        {"uk", "2025-09-02 10:00", "2025-09-02 15:30", "вівторок, 2 вересня 2025 р., 10:00–15:30"},
        {"uk", "2024-06-28", "2024-07-02", "п’ятниця, 28 червня – вівторок, 2 липня 2024 р."},
        /* an end before the start, or of another kind, is not said */
        {"en", "2025-09-02 10:00", "2025-09-01 15:30", "Tuesday, 2 September 2025, 10:00"},
        {"en", "2025-09-02", "2025-09-01", "Tuesday, 2 September 2025"},
        {"en", "2025-09-02 10:00", "2025-09-03", "Tuesday, 2 September 2025, 10:00"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct words *w = load(cases[i].language);
        AUTOBUF struct buf text = BUF_INIT(1024);
        struct when start = read_date(cases[i].start);
        if (*cases[i].end) {
            struct when end = read_date(cases[i].end);
            when_say_range(w, &start, &end, &text);
        } else {
            when_say(w, &start, &text);
        }
        assert_string_equal(buf_str(&text), cases[i].want);
        words_free(w);
    }
}

/* Every shipped language says every month and weekday, and no brace is left over. */
static void says_everything(void **state) {
    (void)state;
    char **names;
    size_t count;
    assert_int_equal(words_languages("", "templates", &names, &count), 0);
    assert_true(count >= 6);
    for (size_t i = 0; i < count; i++) {
        struct words *w = load(names[i]);
        AUTOBUF struct buf text = BUF_INIT(64 * 1024);
        for (int month = 1; month <= 12; month++)
            for (int hours = 0; hours < 2; hours++) {
                struct when start = {2025, month, month, 8, 5, 0, hours}, end = start, later = start;
                end.hour = 20;
                when_add_days(&end, hours ? 0 : 40);
                when_add_days(&later, 400);
                when_say(w, &start, &text);
                when_say_time(w, &start, &text);
                when_say_range(w, &start, &end, &text);
                when_say_range(w, &start, &later, &text);
            }
        assert_int_equal(buf_error(&text), 0);
        assert_null(strpbrk(buf_str(&text), "{}"));
        assert_null(strstr(buf_str(&text), "dates."));
        assert_null(strstr(buf_str(&text), "months."));
        words_free(w);
    }
    files_free_names(names, count);
}

static void fills_patterns(void **state) {
    (void)state;
    struct why why;
    struct words *w;
    struct when at = read_date("2025-09-02 9:05");
    AUTOBUF struct buf text = BUF_INIT(1024);
    const char *ini = "[dates]\n"
                      "datetime = {weekday-short} {day2}.{month2}.{year} {month-short} {month-number} {hour2}:{minute} "
                      "{end-day} {nonsense} {end-} {} {{day}\n"
                      "date = {year} {day\n"
                      "day-2 = 2nd\n[weekdays-short]\n2 = Tue\n[months-short]\n9 = Sep\n";
    assert_int_equal(words_parse(view_of(ini), view_of(""), "xx", &why, &w), 0);
    when_say(w, &at, &text);
    assert_string_equal(buf_str(&text), "Tue 02.09.2025 Sep 9 09:05 2nd {nonsense} {end-} {} {2nd");
    buf_clear(&text);
    at.has_time = false;
    when_say(w, &at, &text);
    assert_string_equal(buf_str(&text), "2025 {day");
    buf_clear(&text);
    when_say_time(w, &at, &text);
    assert_string_equal(buf_str(&text), "dates.time"); /* a missing word shows as its key */
    words_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_dates),    cmocka_unit_test(refuses_dates),
        cmocka_unit_test(caps_the_input), cmocka_unit_test(reads_times),
        cmocka_unit_test(knows_zones),    cmocka_unit_test(converts),
        cmocka_unit_test(there_and_back), cmocka_unit_test(refuses_moments_without_a_year),
        cmocka_unit_test(offsets),        cmocka_unit_test(orders),
        cmocka_unit_test(counts_days),    cmocka_unit_test(prints_rfc5322),
        cmocka_unit_test(says),           cmocka_unit_test(says_everything),
        cmocka_unit_test(fills_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
