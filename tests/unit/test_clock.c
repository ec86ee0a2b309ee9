#include "unit.h"

#include "base/clock.h"
#include "base/number.h"

static void utc_texts(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t sec;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2025-07-01T08:00:00Z", 1751356800},
        {"1969-12-31T23:59:59Z", -1},
        {"2000-02-29T12:00:00Z", 951825600},
        {"1900-03-01T00:00:00Z", -2203891200},
        {"2038-01-19T03:14:08Z", 2147483648},
        {"9999-12-31T23:59:59Z", 253402300799},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t usec = 0;
        unit_int(cases[i].text, clock_parse_utc(view_of(cases[i].text), &usec), 0);
        unit_int(cases[i].text, usec, cases[i].sec * USEC_PER_SEC);
        AUTOBUF struct buf b = BUF_INIT(100);
        clock_print_utc(&b, usec);
        unit_str(cases[i].text, buf_str(&b), cases[i].text);
    }
    AUTOBUF struct buf b = BUF_INIT(100);
    clock_print_utc(&b, -1);
    assert_string_equal(buf_str(&b), "1969-12-31T23:59:59Z");
    int64_t usec;
    assert_int_equal(clock_parse_utc(VIEW("2025-07-01T08:00:00.123456Z"), &usec), 0);
    assert_int_equal(usec, 1751356800 * USEC_PER_SEC);
}

static void other_texts_are_refused(void **state) {
    (void)state;
    static const char *const cases[] = {
        "",
        "2025-07-01",
        "2025-07-01T08:00:00",
        "2025-07-01 08:00:00Z",
        "2025-07-01T08:00:00+02:00",
        "2025-07-01T08:00Z",
        "2025-7-01T08:00:00ZZ",
        "2025-07-01T08:00:00z",
        "2025-13-01T08:00:00Z",
        "2025-00-01T08:00:00Z",
        "2025-07-00T08:00:00Z",
        "2025-02-29T08:00:00Z",
        "2025-04-31T08:00:00Z",
        "2025-07-99T08:00:00Z",
        "2025-07-01T24:00:00Z",
        "2025-07-01T08:60:00Z",
        "2025-07-01T08:00:61Z",
        "2025-07-01T08:00:00.Z",
        "2025-07-01T08:00:00.xZ",
        "2025-07-01T08:00:00,5Z",
        "2025-07-01T08:00:00.1234567890Z",
        "+025-07-01T08:00:00Z",
        "2025-07-01T08:00:00ZZ",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t usec = 4711;
        unit_int(cases[i], clock_parse_utc(view_of(cases[i]), &usec), -EINVAL);
        unit_int(cases[i], usec, 4711);
    }
}

static void every_day_of_eight_centuries(void **state) {
    (void)state;
    int64_t expected = clock_days_from_civil(1600, 1, 1);
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (int year = 1600; year < 2400; year++)
        for (int month = 1; month <= 12; month++) {
            bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            for (int day = 1; day <= lengths[month - 1] + (leap && month == 2); day++, expected++) {
                assert_int_equal(clock_days_from_civil(year, month, day), expected);
                int y, m, d;
                clock_civil_from_days(expected, &y, &m, &d);
                assert_true(y == year && m == month && d == day);
            }
        }
    assert_int_equal(clock_days_from_civil(1970, 1, 1), 0);
}

static void the_clock_starts_elsewhere_and_goes_on(void **state) {
    (void)state;
    int64_t mono = clock_mono_usec();
    clock_start_at(1000 * USEC_PER_SEC);
    int64_t first = clock_now_usec();
    assert_in_range(first, 1000 * USEC_PER_SEC, 1001 * USEC_PER_SEC);
    usleep(2000);
    assert_true(clock_now_usec() >= first + 2000);
    assert_in_range(clock_mono_usec() - mono, 2000, 10 * USEC_PER_SEC); /* not shifted */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utc_texts),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(every_day_of_eight_centuries),
        cmocka_unit_test(the_clock_starts_elsewhere_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
