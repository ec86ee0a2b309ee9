#include "send/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/number.h"
#include "conf/conf.h"

static const struct conf conf = {
    .retry_first_usec = 30 * USEC_PER_MIN,
    .retry_then_usec = 2 * USEC_PER_HOUR,
    .retry_give_up_usec = 4 * USEC_PER_DAY,
};

#define H USEC_PER_HOUR
#define M USEC_PER_MIN
static const int64_t start = 1750000000 * USEC_PER_SEC;

static void test_waits(void **state) {
    (void)state;
    static const struct {
        unsigned attempts;
        int64_t passed, until; /* since the first attempt; until 0: none */
        int64_t least, most;   /* wait; -1: never */
    } cases[] = {
        {1, 0, 0, 30 * M, 38 * M},
        {2, 30 * M, 0, 2 * H, 3 * H},
        {3, 3 * H, 0, 2 * H, 3 * H},
        {40, 80 * H, 0, 2 * H, 3 * H},
        {0, 0, 0, 30 * M, 38 * M},
        /* near the end: once more before it, but never sooner than half an hour, and not at all where that is too late
         */
        {5, 95 * H, 0, 30 * M, 45 * M},
        {5, 96 * H - 30 * M, 0, -1, -1},
        {5, 96 * H, 0, -1, -1},
        {5, 200 * H, 0, -1, -1},
        {1, 0, 31 * M, 30 * M, 31 * M},
        {1, 0, 30 * M, -1, -1},
        {1, 0, 5 * M, -1, -1},
        {2, 1 * H, 2 * H, 30 * M, 45 * M},
        {2, 1 * H, 1 * H, -1, -1},
        /* a deadline later than giving up changes nothing */
        {5, 96 * H, 900 * H, -1, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (uint32_t random = 0; random < 1100; random += 3) {
            int64_t now = start + cases[i].passed, until = cases[i].until ? start + cases[i].until : 0;
            int64_t next = retry_next(&conf, cases[i].attempts, now, start, until, random * 7919);
            if (cases[i].least < 0) {
                assert_int_equal(next, 0);
            } else {
                assert_true(next >= now + cases[i].least);
                assert_true(next <= now + cases[i].most);
                assert_true(until == 0 || next < until);
            }
        }
}

static void test_chance_spreads(void **state) {
    (void)state;
    int64_t a = retry_next(&conf, 2, start, start, 0, 1), b = retry_next(&conf, 2, start, start, 0, 900);
    assert_true(b - a > 20 * M);
}

/* A whole life: bounded attempts, never closer than half an hour. */
static void test_a_life(void **state) {
    (void)state;
    int64_t now = start;
    unsigned attempts = 0;
    for (;;) {
        int64_t next = retry_next(&conf, attempts + 1, now, start, 0, attempts * 2654435761u);
        attempts++;
        if (next == 0)
            break;
        assert_true(next - now >= 30 * M);
        assert_true(next < start + conf.retry_give_up_usec);
        now = next;
    }
    assert_true(attempts > 30 && attempts < 55);
    assert_true(now > start + conf.retry_give_up_usec - 3 * H);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_chance_spreads),
        cmocka_unit_test(test_a_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
