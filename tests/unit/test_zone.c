/* Time zones beside the C library's own reading of the same database, which is the judge; and damaged files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/files.h"
#include "mail/zone.h"
#include "mail/zone_rule.h"

static void judge(const struct zone *z, int64_t at_sec) {
    struct zone_span span;
    struct tm tm;
    time_t t = (time_t)at_sec;
    zone_span(z, at_sec, &span);
    assert_non_null(localtime_r(&t, &tm));
    if (span.offset_sec != tm.tm_gmtoff || span.is_dst != (tm.tm_isdst > 0) || strcmp(span.abbreviation, tm.tm_zone))
        fail_msg("%s at %lld: %d %s, but %ld %s", zone_name(z), (long long)at_sec, span.offset_sec, span.abbreviation,
                 tm.tm_gmtoff, tm.tm_zone);
    assert_true(span.from_sec <= at_sec && at_sec < span.until_sec);
}

/* Every change from 1900 on, a second before it and at it, and a moment in each stretch. */
static unsigned judge_zone(const char *name) {
    const struct zone *z = zone_find(name);
    if (!z)
        fail_msg("no zone %s", name);
    setenv("TZ", name, 1);
    tzset();
    unsigned changes = 0;
    struct zone_span span;
    const int64_t end_sec = clock_days_from_civil(2200, 12, 31) * 86400;
    for (int64_t at_sec = clock_days_from_civil(1900, 1, 1) * 86400; at_sec < end_sec; at_sec = span.until_sec) {
        zone_span(z, at_sec, &span);
        judge(z, at_sec);
        if (span.until_sec > end_sec)
            break;
        judge(z, at_sec + (span.until_sec - at_sec) / 3);
        judge(z, span.until_sec - 1);
        changes++;
    }
    return changes;
}

static void agrees_with_the_c_library(void **state) {
    (void)state;
    AUTOBUF struct buf table = BUF_INIT(256 * 1024);
    assert_int_equal(files_read(AT_FDCWD, "/usr/share/zoneinfo/zone.tab", &table), 0);
    struct view rest = buf_view(&table), line, field;
    unsigned zones = 0, changes = 0;
    while (view_line(&rest, &line)) {
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        for (int i = 0; i < 3; i++)
            assert_true(view_split(&line, '\t', &field));
        AUTOFREE char *name = view_dup(field);
        changes += judge_zone(name);
        zones++;
    }
    assert_true(zones > 300 && changes > 50000);
    changes = 0;
    static const char *const more[] = {"UTC", "CET", "EST5EDT", "Etc/GMT-14", "Europe/Kiev", "US/Pacific"};
    for (size_t i = 0; i < COUNT_OF(more); i++)
        changes += judge_zone(more[i]);
    assert_true(changes > 500);
    unsetenv("TZ");
    tzset();
}

static void far_away(void **state) {
    (void)state;
    static const char *const names[] = {"Europe/Berlin", "UTC", "Africa/Casablanca"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct zone *z = zone_find(names[i]);
        const int64_t far[] = {INT64_MIN, INT64_MAX, INT64_C(1) << 41, -(INT64_C(1) << 41), INT64_C(1) << 40};
        for (size_t k = 0; k < COUNT_OF(far); k++) {
            struct zone_span span;
            zone_span(z, far[k], &span);
            assert_true(span.from_sec <= far[k]);
            assert_true(abs(span.offset_sec) < ZONE_OFFSET_MAX_SEC);
            int64_t sec;
            if (far[k] > INT64_MIN / 2 && far[k] < INT64_MAX / 2)
                assert_int_equal(zone_to_utc(z, far[k], &sec), ZONE_OK);
        }
    }
}

static int64_t utc(int year, int month, int day) {
    return clock_days_from_civil(year, month, day) * 86400;
}

static void knows_the_rules(void **state) {
    (void)state;
    struct zone_rule rules[2];
    assert_true(zone_rules(zone_find("Europe/Berlin"), utc(2025, 9, 2), rules));
    assert_true(rules[0].is_dst && !rules[1].is_dst);
    assert_int_equal(rules[0].month, 3);
    assert_int_equal(rules[0].week, 5);
    assert_int_equal(rules[0].weekday, 0);
    assert_int_equal(rules[0].at_sec, 7200);
    assert_int_equal(rules[0].offset_before_sec, 3600);
    assert_int_equal(rules[0].offset_sec, 7200);
    assert_string_equal(rules[0].abbreviation, "CEST");
    assert_int_equal(rules[1].month, 10);
    assert_int_equal(rules[1].at_sec, 3 * 3600);
    assert_int_equal(zone_rule_in_year(&rules[0], 2025), utc(2025, 3, 30) + 3600);
    assert_int_equal(zone_rule_in_year(&rules[1], 2025), utc(2025, 10, 26) + 3600);
    assert_true(zone_rules(zone_find("Europe/Berlin"), utc(2025, 12, 2), rules));
    assert_false(rules[0].is_dst);
    assert_true(zone_rules(zone_find("Europe/Berlin"), utc(1997, 12, 2), rules));
    /* summer time ended in September then; no rules at all; rules that the coming years do not follow */
    assert_false(zone_rules(zone_find("Europe/Berlin"), utc(1985, 6, 2), rules));
    assert_false(zone_rules(zone_find("Asia/Kathmandu"), utc(2025, 6, 2), rules));
    assert_false(zone_rules(zone_find("Africa/Casablanca"), utc(2025, 6, 2), rules));
}

static void reads_footers(void **state) {
    (void)state;
    static const struct {
        const char *line;
        bool good, has_dst;
    } cases[] = {
        {"", true, false},
        {"UTC0", true, false},
        {"CET-1CEST,M3.5.0,M10.5.0/3", true, true},
        {"<+0545>-5:45", true, false},
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", true, true},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", true, true},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", true, true},
        {"EET-2EEST,M3.4.4/50,M10.4.4/50", true, true},
        {"XXX3EDT4,0/0,J365/23", true, true},
        {"AAA-1:02:03BBB,J60/167:59:59,365/-167", true, true},
        {"CET", false, false},
        {"CE-1", false, false},
        {"CET-25", false, false},
        {"CET-1:60", false, false},
        {"CET-1CEST", false, false}, /* no rule */
        {"CET-1CEST,M3.5.0", false, false},
        {"CET-1CEST,M3.5.0,M10.5.0/3,", false, false},
        {"CET-1CEST,M3.5.0,M10.5.0/168", false, false},
        {"CET-1CEST,M0.5.0,M10.5.0", false, false},
        {"CET-1CEST,M13.5.0,M10.5.0", false, false},
        {"CET-1CEST,M3.6.0,M10.5.0", false, false},
        {"CET-1CEST,M3.0.0,M10.5.0", false, false},
        {"CET-1CEST,M3.5.7,M10.5.0", false, false},
        {"CET-1CEST,J0,M10.5.0", false, false},
        {"CET-1CEST,J366,M10.5.0", false, false},
        {"CET-1CEST,366,M10.5.0", false, false},
        {"<+1", false, false},
        {"<+1>1", false, false},
        {"<+01234567890123>1", true, false},
        {"<+012345678901234>1", false, false},
        {"<A\nB>1", false, false},
        {"+01-1", false, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct zone_footer footer;
        if (zone_footer_parse(view_of(cases[i].line), &footer) != cases[i].good)
            fail_msg("“%s” is %s", cases[i].line, cases[i].good ? "refused" : "taken");
        if (cases[i].good)
            assert_int_equal(footer.has_dst, cases[i].has_dst);
    }
    struct zone_footer footer;
    assert_true(zone_footer_parse(view_of("AAA-1:02:03BBB,J60/167:59:59,59"), &footer));
    assert_int_equal(footer.rule[0].offset_sec, 3723);
    assert_int_equal(footer.rule[1].offset_sec, 3723 + 3600);
    /* J60 is the first of March in all years, the 60th day counted from 0 is the 29th of February in leap years */
    assert_int_equal(zone_rule_in_year(&footer.rule[1], 2024), utc(2024, 3, 8) - 1 - 3723);
    assert_int_equal(zone_rule_in_year(&footer.rule[1], 2025), utc(2025, 3, 8) - 1 - 3723);
    assert_int_equal(zone_rule_in_year(&footer.rule[0], 2024), utc(2024, 2, 29) + 7200 - 7323);
    assert_int_equal(zone_rule_in_year(&footer.rule[0], 2025), utc(2025, 3, 1) + 7200 - 7323);
}

static void put_u32(struct buf *b, uint32_t n) {
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_putc(b, (char)(n >> shift));
}

static void put_header(struct buf *b, char version, uint32_t leap, uint32_t time, uint32_t type, uint32_t chars) {
    buf_add(b, "TZif", 4);
    buf_putc(b, version);
    buf_add(b, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15);
    const uint32_t counts[] = {0, 0, leap, time, type, chars};
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        put_u32(b, counts[i]);
}

/* Two types and two changes, which the cases bend. */
static void make_file(struct buf *b, char version, uint32_t leap, int32_t first_sec, int32_t second_sec, int type,
                      int32_t offset_sec, const char *name, const char *footer) {
    put_header(b, version, 0, 0, 1, 1);
    buf_add(b, "\0\0\0\0\0\0\0", 7); /* a type and an empty name */
    put_header(b, version, leap, 2, 2, (uint32_t)strlen(name) + 5);
    for (int i = 0; i < 2; i++) {
        int32_t at_sec = i ? second_sec : first_sec;
        put_u32(b, at_sec < 0 ? 0xffffffff : 0);
        put_u32(b, (uint32_t)at_sec);
    }
    buf_putc(b, (char)type);
    buf_putc(b, 0);
    put_u32(b, (uint32_t)offset_sec);
    buf_add(b, "\0\0", 2);
    put_u32(b, 7200);
    buf_putc(b, 1);
    buf_putc(b, (char)(strlen(name) + 1));
    buf_add(b, name, strlen(name) + 1);
    buf_add(b, "SUM", 4);
    for (uint32_t i = 0; i < leap; i++)
        buf_add(b, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
    buf_puts(b, footer);
}

static void refuses_damaged_files(void **state) {
    (void)state;
    static const struct {
        bool good;
        char version;
        uint32_t leap;
        int32_t first_sec, second_sec;
        int type;
        int32_t offset_sec;
        const char *name, *footer;
    } cases[] = {
        {true, '2', 0, -100, 100, 1, 3600, "WIN", "\nWIN-1\n"},
        {true, '4', 0, -100, 100, 1, ZONE_OFFSET_MAX_SEC, "WIN", "\n\n"},
        {false, '\0', 0, -100, 100, 1, 3600, "WIN", "\nWIN-1\n"},
        {false, '2', 1, -100, 100, 1, 3600, "WIN", "\nWIN-1\n"},
        {false, '2', 0, 100, 100, 1, 3600, "WIN", "\nWIN-1\n"},
        {false, '2', 0, 100, -100, 1, 3600, "WIN", "\nWIN-1\n"},
        {false, '2', 0, -100, 100, 2, 3600, "WIN", "\nWIN-1\n"},
        {false, '2', 0, -100, 100, 1, ZONE_OFFSET_MAX_SEC + 1, "WIN", "\nWIN-1\n"},
        {false, '2', 0, -100, 100, 1, -ZONE_OFFSET_MAX_SEC - 1, "WIN", "\nWIN-1\n"},
        {false, '2', 0, -100, 100, 1, 3600, "W\nN", "\nWIN-1\n"},
        {false, '2', 0, -100, 100, 1, 3600, "WIN", "\nWIN\n"},
        {false, '2', 0, -100, 100, 1, 3600, "WIN", "WIN-1\n"},
        {false, '2', 0, -100, 100, 1, 3600, "WIN", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf file = BUF_INIT(4096);
        make_file(&file, cases[i].version, cases[i].leap, cases[i].first_sec, cases[i].second_sec, cases[i].type,
                  cases[i].offset_sec, cases[i].name, cases[i].footer);
        struct zone *z = zone_parse("Test/Zone", buf_view(&file));
        if ((z != NULL) != cases[i].good)
            fail_msg("case %zu is %s", i, z ? "taken" : "refused");
        zone_free(z);
    }
    AUTOBUF struct buf file = BUF_INIT(2 * ZONE_FILE_MAX_BYTES);
    make_file(&file, '2', 0, -100, 100, 1, 3600, "WIN", "\nWIN-1\n");
    struct zone *z = zone_parse("Test/Zone", buf_view(&file));
    struct zone_span span;
    assert_string_equal(zone_name(z), "Test/Zone");
    zone_span(z, -101, &span);
    assert_int_equal(span.from_sec, INT64_MIN);
    assert_string_equal(span.abbreviation, "WIN");
    zone_span(z, 99, &span);
    assert_int_equal(span.from_sec, -100);
    assert_int_equal(span.until_sec, 100);
    assert_string_equal(span.abbreviation, "SUM");
    assert_true(span.is_dst);
    zone_free(z);
    for (size_t len = 0; len + 2 < file.len; len++) /* cut anywhere before the footer's end */
        if (len < file.len - strlen("\nWIN-1\n"))
            assert_null(zone_parse("Test/Zone", view_make(file.data, len)));
    while (file.len < ZONE_FILE_MAX_BYTES)
        buf_putc(&file, ' ');
    zone_free(z = zone_parse("Test/Zone", buf_view(&file)));
    assert_non_null(z);
    buf_putc(&file, ' ');
    assert_null(zone_parse("Test/Zone", buf_view(&file)));
}

static void *ask(void *user) {
    static const char *const names[] = {"Europe/Berlin", "Europe/Rome", "Europe/Paris", "Europe/Warsaw", "Asia/Tokyo"};
    struct zone_span span;
    for (size_t i = 0; i < 200; i++) {
        const struct zone *z = zone_find(names[i % COUNT_OF(names)]);
        if (!z)
            return user;
        zone_span(z, utc(2025, 7, 1), &span);
        if (span.offset_sec != (i % COUNT_OF(names) == 4 ? 9 : 2) * 3600)
            return user;
    }
    return NULL;
}

static void serves_all_threads(void **state) {
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, threads), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *bad;
        assert_int_equal(pthread_join(threads[i], &bad), 0);
        assert_null(bad);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_all_threads), /* first: nothing is kept yet */
        cmocka_unit_test(agrees_with_the_c_library), cmocka_unit_test(far_away),
        cmocka_unit_test(knows_the_rules),           cmocka_unit_test(reads_footers),
        cmocka_unit_test(refuses_damaged_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
