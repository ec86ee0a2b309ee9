#include "unit.h"

#include "base/number.h"

static void whole_numbers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t max;
        int r;
        uint64_t n;
    } cases[] = {
        {"0", 0, 0, 0},
        {"007", 10, 0, 7},
        {"10", 10, 0, 10},
        {"11", 10, -ERANGE, 0},
        {"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, -ERANGE, 0},
        {"99999999999999999999", UINT64_MAX, -ERANGE, 0},
        {"", 10, -EINVAL, 0},
        {"-1", 10, -EINVAL, 0},
        {"+1", 10, -EINVAL, 0},
        {" 1", 10, -EINVAL, 0},
        {"1 ", 10, -EINVAL, 0},
        {"1x", 10, -EINVAL, 0},
        {"0x1", 10, -EINVAL, 0},
        {"1e3", 10, -EINVAL, 0},
        {"\xD9\xA1", 10, -EINVAL, 0}, /* ARABIC-INDIC DIGIT ONE */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t n = 4711;
        unit_int(cases[i].text, number_parse_u64(view_of(cases[i].text), cases[i].max, &n), cases[i].r);
        unit_int(cases[i].text, n, cases[i].r ? 4711 : (long long)cases[i].n);
    }
}

static void signed_numbers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int r;
        int64_t n;
    } cases[] = {
        {"-5", 0, -5},
        {"5", 0, 5},
        {"-0", 0, 0},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775807", 0, -INT64_MAX},
        {"9223372036854775808", -ERANGE, 0},
        {"-9223372036854775809", -ERANGE, 0},
        {"-", -EINVAL, 0},
        {"--1", -EINVAL, 0},
        {"", -EINVAL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t n = 4711;
        unit_int(cases[i].text, number_parse_i64(view_of(cases[i].text), &n), cases[i].r);
        unit_int(cases[i].text, n, cases[i].r ? 4711 : cases[i].n);
    }
}

static void booleans(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int r;
        bool value;
    } cases[] = {{"yes", 0, true}, {"TRUE", 0, true},   {"On", 0, true},    {"1", 0, true},
                 {"no", 0, false}, {"false", 0, false}, {"oFF", 0, false},  {"0", 0, false},
                 {"", -EINVAL, 0}, {"y", -EINVAL, 0},   {"ja", -EINVAL, 0}, {"yes ", -EINVAL, 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int before = 0; before < 2; before++) {
            bool value = before;
            unit_int(cases[i].text, number_parse_bool(view_of(cases[i].text), &value), cases[i].r);
            unit_int(cases[i].text, value, cases[i].r ? before : cases[i].value);
        }
}

static void durations(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int r;
        int64_t usec;
    } cases[] = {
        {"90s", 0, 90 * USEC_PER_SEC},
        {"30m", 0, 30 * USEC_PER_MIN},
        {"2h", 0, 2 * USEC_PER_HOUR},
        {"14d", 0, 14 * USEC_PER_DAY},
        {"2w", 0, 14 * USEC_PER_DAY},
        {"1h30m", 0, 90 * USEC_PER_MIN},
        {"1w2d3h4m5s", 0, 9 * USEC_PER_DAY + 3 * USEC_PER_HOUR + 4 * USEC_PER_MIN + 5 * USEC_PER_SEC},
        {"0s", 0, 0},
        {"9223372036854s", 0, 9223372036854 * USEC_PER_SEC},
        {"9223372036855s", -ERANGE, 0},
        {"106751991d9999999h", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"5", -EINVAL, 0},
        {"h", -EINVAL, 0},
        {"5 m", -EINVAL, 0},
        {"5m ", -EINVAL, 0},
        {"-5m", -EINVAL, 0},
        {"1.5h", -EINVAL, 0},
        {"30m1h", -EINVAL, 0},
        {"1h1h", -EINVAL, 0},
        {"5M", -EINVAL, 0},
        {"5min", -EINVAL, 0},
        {"1h30", -EINVAL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t usec = 4711;
        unit_int(cases[i].text, number_parse_duration(view_of(cases[i].text), &usec), cases[i].r);
        unit_int(cases[i].text, usec, cases[i].r ? 4711 : cases[i].usec);
    }
}

static void sizes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int r;
        uint64_t bytes;
    } cases[] = {
        {"512", 0, 512},
        {"512 B", 0, 512},
        {"100K", 0, 102400},
        {"100k", 0, 102400},
        {"100 KB", 0, 102400},
        {"1KiB", 0, 1024},
        {"25 MB", 0, 26214400},
        {"1 GiB", 0, 1073741824},
        {"0", 0, 0},
        {"", -EINVAL, 0},
        {"MB", -EINVAL, 0},
        {"25 ", -EINVAL, 0},
        {"25 MB ", -EINVAL, 0},
        {"25  MB", -EINVAL, 0},
        {" 25", -EINVAL, 0},
        {"25 mb", -EINVAL, 0},
        {"25 iB", -EINVAL, 0},
        {"2.5 MB", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {"1T", -EINVAL, 0},
        {"17179869183G", 0, UINT64_C(17179869183) << 30},
        {"17179869184G", -ERANGE, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t bytes = 4711;
        unit_int(cases[i].text, number_parse_size(view_of(cases[i].text), &bytes), cases[i].r);
        unit_int(cases[i].text, bytes, cases[i].r ? 4711 : (long long)cases[i].bytes);
    }
}

static void rates(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int r;
        uint32_t count;
        int64_t per_usec;
    } cases[] = {
        {"100/s", 0, 100, USEC_PER_SEC},
        {"600/m", 0, 600, USEC_PER_MIN},
        {"3000/h", 0, 3000, USEC_PER_HOUR},
        {"20000/d", 0, 20000, USEC_PER_DAY},
        {"4294967295/s", 0, UINT32_MAX, USEC_PER_SEC},
        {"4294967296/s", -ERANGE, 0, 0},
        {"100", -EINVAL, 0, 0},
        {"/s", -EINVAL, 0, 0},
        {"100/", -EINVAL, 0, 0},
        {"100/w", -EINVAL, 0, 0},
        {"100/sec", -EINVAL, 0, 0},
        {"100 / s", -EINVAL, 0, 0},
        {"1/2/s", -EINVAL, 0, 0},
        {"", -EINVAL, 0, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint32_t count = 4711;
        int64_t per = 4711;
        unit_int(cases[i].text, number_parse_rate(view_of(cases[i].text), &count, &per), cases[i].r);
        unit_int(cases[i].text, count, cases[i].r ? 4711 : cases[i].count);
        unit_int(cases[i].text, per, cases[i].r ? 4711 : cases[i].per_usec);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers), cmocka_unit_test(signed_numbers), cmocka_unit_test(booleans),
        cmocka_unit_test(durations),     cmocka_unit_test(sizes),          cmocka_unit_test(rates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
