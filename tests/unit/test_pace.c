#include "send/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct rate rates[] = {
    {1, USEC_PER_SEC},   {2, USEC_PER_SEC},     {15, USEC_PER_SEC},    {16, USEC_PER_SEC},    {100, USEC_PER_SEC},
    {600, USEC_PER_MIN}, {3000, USEC_PER_HOUR}, {20000, USEC_PER_DAY}, {7, 3 * USEC_PER_SEC}, {100000, USEC_PER_SEC},
};

enum { TAKES_MAX = 400000 };

/* Takes greedily, with pauses that let the bucket fill and restarts that empty it, for several windows; then no window
 * may hold more than the rate's number. */
static void check_windows(struct rate rate, int64_t step, int64_t pause, bool restarts) {
    int64_t *takes = calloc(TAKES_MAX, sizeof *takes);
    assert_non_null(takes);
    size_t count = 0;
    struct pace_bucket b;
    pace_bucket_init(&b, rate, 0);
    int64_t end = 5 * rate.per_usec, busy_until = pause;
    for (int64_t now = 0; now < end && count < TAKES_MAX; now += step) {
        if (now >= busy_until) {
            now += pause;
            busy_until = now + pause;
            if (restarts)
                pace_bucket_init(&b, rate, now);
        }
        while (count < TAKES_MAX && pace_bucket_take(&b, now))
            takes[count++] = now;
    }
    assert_true(count > 0 || restarts); /* restarts in quick succession leave a slow rate no token */
    for (size_t first = 0, last = 0; first < count; first++) {
        while (last < count && takes[last] < takes[first] + rate.per_usec)
            last++;
        assert_true(last - first <= rate.count);
    }
    free(takes);
}

static void test_no_window_exceeds_the_rate(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        int64_t step = rates[i].per_usec / 5000 + 1;
        check_windows(rates[i], step, 100 * rates[i].per_usec, false);
        check_windows(rates[i], step, rates[i].per_usec / 3, false);
        check_windows(rates[i], step, rates[i].per_usec / 3, true);
        check_windows(rates[i], step, rates[i].per_usec / 40 + 1, true);
    }
}

static void test_the_rate_is_reached(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct pace_bucket b;
        pace_bucket_init(&b, rates[i], 0);
        uint64_t count = 0;
        int64_t now = 0, end = 20 * rates[i].per_usec;
        while ((now = pace_bucket_when(&b, now)) < end) {
            assert_true(pace_bucket_take(&b, now));
            count++;
        }
        assert_true(count >= (uint64_t)rates[i].count * 20 * 93 / 100 - 1);
    }
}

static void test_a_bucket_begins_empty_and_fills_to_its_burst(void **state) {
    (void)state;
    struct pace_bucket b;
    pace_bucket_init(&b, (struct rate){160, USEC_PER_SEC}, 0);
    assert_int_equal(pace_bucket_tokens(&b, 0), 0);
    assert_false(pace_bucket_take(&b, 0));
    assert_int_equal(pace_bucket_tokens(&b, pace_bucket_when(&b, 0) - 1), 0);
    assert_int_equal(pace_bucket_tokens(&b, pace_bucket_when(&b, 0)), 1);
    assert_int_equal(pace_bucket_tokens(&b, USEC_PER_HOUR), 10);
    for (int i = 0; i < 10; i++)
        assert_true(pace_bucket_take(&b, USEC_PER_HOUR));
    assert_false(pace_bucket_take(&b, USEC_PER_HOUR));
    assert_int_equal(pace_bucket_tokens(&b, USEC_PER_HOUR), 0);

    pace_bucket_init(&b, (struct rate){0, 0}, 0);
    assert_int_equal(pace_bucket_tokens(&b, 0), UINT32_MAX);
    assert_true(pace_bucket_take(&b, 0));
    assert_int_equal(pace_bucket_when(&b, 5), 5);
}

static void test_daily_limit(void **state) {
    (void)state;
    const int64_t noon = 480000 * USEC_PER_HOUR;
    struct pace_daily d;
    pace_daily_init(&d, 3);
    assert_int_equal(pace_daily_left(&d, noon), 3);
    pace_daily_take(&d, noon);
    pace_daily_take(&d, noon + USEC_PER_HOUR);
    assert_int_equal(pace_daily_left(&d, noon + USEC_PER_HOUR), 1);
    assert_int_equal(pace_daily_wait_usec(&d, noon + USEC_PER_HOUR), 0);
    pace_daily_take(&d, noon + USEC_PER_HOUR);
    assert_int_equal(pace_daily_left(&d, noon + USEC_PER_HOUR), 0);
    assert_int_equal(pace_daily_wait_usec(&d, noon + USEC_PER_HOUR), 24 * USEC_PER_HOUR);
    assert_int_equal(pace_daily_left(&d, noon + 25 * USEC_PER_HOUR - 1), 0);
    assert_int_equal(pace_daily_left(&d, noon + 25 * USEC_PER_HOUR), 1);
    assert_int_equal(pace_daily_left(&d, noon + 26 * USEC_PER_HOUR), 3);
    assert_int_equal(pace_daily_left(&d, noon + 1000 * USEC_PER_HOUR), 3);

    /* After a restart the store tells what was used; older hours no longer count. */
    pace_daily_init(&d, 100);
    pace_daily_load(&d, 480000, 30, noon);
    pace_daily_load(&d, 480000 - 24, 20, noon);
    pace_daily_load(&d, 480000 - 25, 40, noon);
    assert_int_equal(pace_daily_left(&d, noon), 50);
    assert_int_equal(pace_daily_left(&d, noon + USEC_PER_HOUR), 70);

    pace_daily_init(&d, 0);
    pace_daily_take(&d, noon);
    assert_true(pace_daily_left(&d, noon) == UINT64_MAX);
}

static void test_a_relay_that_refuses_us_rests_longer_each_time(void **state) {
    (void)state;
    struct pace_relay p;
    pace_relay_init(&p);
    int64_t now = 1000;
    assert_int_equal(pace_relay_state(&p, now), PACE_OPEN);
    assert_true(pace_relay_failed(&p, true, now)); /* told at once */
    int64_t rest = PACE_REST_FIRST_USEC;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(pace_relay_state(&p, now), PACE_RESTING);
        assert_int_equal(p.until_usec, now + rest);
        assert_false(pace_relay_failed(&p, true, now + 1)); /* of the same moment: neither longer nor told again */
        assert_int_equal(p.until_usec, now + rest);
        assert_int_equal(pace_relay_state(&p, now + rest - 1), PACE_RESTING);
        now += rest;
        assert_int_equal(pace_relay_state(&p, now), PACE_TRYING);
        assert_false(pace_relay_failed(&p, true, now));
        rest = rest * 2 < PACE_REST_MAX_USEC ? rest * 2 : PACE_REST_MAX_USEC;
    }
    assert_int_equal(rest, PACE_REST_MAX_USEC);
    assert_int_equal(pace_relay_state(&p, now + rest), PACE_TRYING);
    assert_true(pace_relay_worked(&p));
    assert_int_equal(pace_relay_state(&p, now + rest), PACE_OPEN);
    assert_false(pace_relay_worked(&p));
    assert_true(pace_relay_failed(&p, true, now)); /* a new episode is told again and begins short */
    assert_int_equal(p.until_usec, now + PACE_REST_FIRST_USEC);
}

static void test_a_relay_that_cannot_be_reached_is_told_after_an_hour(void **state) {
    (void)state;
    struct pace_relay p;
    pace_relay_init(&p);
    int64_t now = 0, told = -1;
    int tries = 0;
    for (; now < 3 * USEC_PER_HOUR; tries++) {
        if (pace_relay_failed(&p, false, now)) {
            assert_int_equal(told, -1);
            told = now;
        }
        now = p.until_usec;
        assert_int_equal(pace_relay_state(&p, now), PACE_TRYING);
    }
    assert_true(told >= USEC_PER_HOUR && told < USEC_PER_HOUR + PACE_REST_MAX_USEC);
    assert_true(tries > 10 && tries < 30);
    /* What was an outage may turn out to be our account: that is another matter. */
    pace_relay_init(&p);
    assert_false(pace_relay_failed(&p, false, 0));
    assert_true(pace_relay_failed(&p, true, 1));
    assert_int_equal(p.until_usec, 1 + PACE_REST_FIRST_USEC);
}

static void test_identical_refusals_are_counted(void **state) {
    (void)state;
    static const struct {
        const char *status, *text;
        uint16_t code;
        unsigned run;
    } cases[] = {
        {"5.7.1", "5.7.1 not allowed", 550, 1},
        {"5.7.1", "5.7.1 not allowed", 550, 2},
        {"5.7.1", "5.7.1 not allowed", 550, 3},
        {"5.7.1", "5.7.1 not welcome", 550, 1},
        {"5.7.1", "5.7.1 not welcome", 554, 1},
        {"5.7.2", "5.7.1 not welcome", 554, 1},
        {"5.1.1", "5.1.1 <a@members.example>: unknown", 550, 1},
        {"5.1.1", "5.1.1 <bb@members.example>: unknown", 550, 2},
        {"5.1.1", "5.1.1 <bb@members.example>: unknown si123-45", 550, 3},
        {"5.1.1", "5.1.1  <bb@members.example>: unknown xx9", 550, 4},
        {"", "no", 550, 1},
        {"", "", 550, 1},
        {"", "", 550, 2},
    };
    struct pace_relay p;
    pace_relay_init(&p);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome o = {.class = OUTCOME_REFUSED, .code = cases[i].code};
        memcpy(o.status, cases[i].status, strlen(cases[i].status) + 1);
        memcpy(o.text, cases[i].text, strlen(cases[i].text) + 1);
        assert_int_equal(pace_relay_refused(&p, &o), cases[i].run);
    }
    pace_relay_run_ends(&p);
    struct outcome o = {.class = OUTCOME_REFUSED, .code = 550};
    for (unsigned i = 1; i <= PACE_RUN; i++)
        assert_int_equal(pace_relay_refused(&p, &o), i);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_window_exceeds_the_rate),
        cmocka_unit_test(test_the_rate_is_reached),
        cmocka_unit_test(test_a_bucket_begins_empty_and_fills_to_its_burst),
        cmocka_unit_test(test_daily_limit),
        cmocka_unit_test(test_a_relay_that_refuses_us_rests_longer_each_time),
        cmocka_unit_test(test_a_relay_that_cannot_be_reached_is_told_after_an_hour),
        cmocka_unit_test(test_identical_refusals_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
