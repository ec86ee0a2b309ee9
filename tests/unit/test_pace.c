#include "send/pace.h"

#include <limits.h>
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
#define REST_MAX_USEC (15 * USEC_PER_MIN)

struct message {
    int64_t sent, there; /* when it was taken a token for, and when the relay sees it */
    int64_t answered;
};

static int by_arrival(const void *a, const void *b) {
    int64_t x = ((const struct message *)a)->there, y = ((const struct message *)b)->there;
    return (x > y) - (x < y);
}

/* How the way to the relay and back takes its time. */
enum way { WAY_NONE, WAY_EVEN, WAY_BURSTS };

/* The process stays; ends, and begins after a pause; or is killed in the middle of its work, and begins at once. */
enum life { STAYS, RESTARTS, KILLS };

/* Most of the way is held up again and again, and then let go at once. */
static void travel(struct message *m, enum way way, int64_t per_usec) {
    int64_t period = per_usec == USEC_PER_SEC ? 2 * per_usec / 7 : 9 * USEC_PER_SEC / 10; /* divides none of them */
    m->there = way == WAY_NONE ? m->sent : way == WAY_EVEN ? m->sent + 300 : (m->sent / period + 1) * period;
    m->answered = way == WAY_EVEN ? m->there + 500 : m->there + 1;
}

/* Takes greedily, with pauses that let the bucket fill and restarts that empty it, for several windows; then no window
 * may hold more than the rate's number, as the relay sees it. */
static void check_windows(struct rate rate, int64_t step, int64_t pause, enum life restarts, enum way way) {
    struct message *m = calloc(TAKES_MAX, sizeof *m);
    assert_non_null(m);
    size_t count = 0, answered = 0;
    unsigned lives = 0;
    struct pace_bucket b;
    pace_bucket_init(&b, rate, 0);
    int64_t end = 5 * rate.per_usec, busy_until = pause;
    for (int64_t now = 0; now < end && count < TAKES_MAX; now += step) {
        if (now >= busy_until && restarts == KILLS && ++lives % 2) {
            pace_bucket_init(&b, rate, now);
            busy_until = now + pause;
        } else if (now >= busy_until) {
            now += pause;
            busy_until = now + pause;
            if (restarts == RESTARTS)
                pace_bucket_init(&b, rate, now);
        }
        for (; answered < count && m[answered].answered <= now; answered++)
            pace_bucket_done(&b, m[answered].sent, now);
        (void)pace_bucket_tokens(&b, now + rate.per_usec); /* whoever looks ahead changes nothing */
        while (count < TAKES_MAX && pace_bucket_take(&b, now)) {
            m[count] = (struct message){.sent = now};
            travel(&m[count++], way, rate.per_usec);
        }
    }
    assert_true(count > 0 || restarts != STAYS); /* restarts in quick succession leave a slow rate no token */
    qsort(m, count, sizeof *m, by_arrival);
    for (size_t first = 0, last = 0; first < count; first++) {
        while (last < count && m[last].there < m[first].there + rate.per_usec)
            last++;
        if (last - first > rate.count)
            fail_msg("%zu of %u in %lld", last - first, rate.count, (long long)rate.per_usec);
    }
    free(m);
}

static void test_no_window_exceeds_the_rate(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
        for (enum way way = WAY_NONE; way <= WAY_BURSTS; way++) {
            int64_t per = rates[i].per_usec, step = per / 5000 + 1;
            check_windows(rates[i], step, 100 * per, STAYS, way);
            check_windows(rates[i], step, per / 3, STAYS, way);
            for (enum life life = RESTARTS; life <= KILLS; life++) {
                check_windows(rates[i], step, 3 * per / 2, life, way);
                check_windows(rates[i], step, per / 3, life, way);
                check_windows(rates[i], step, per / 7, life, way);
                check_windows(rates[i], step, per / 40 + 1, life, way);
            }
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
            assert_true(pace_bucket_tokens(&b, now) > 0);
            assert_true(pace_bucket_take(&b, now));
            pace_bucket_done(&b, now, now);
            count++;
        }
        assert_true(count >= (uint64_t)rates[i].count * 19 * 93 / 100 - 1);
    }
}

/* What is never answered counts as if it had been after a while. */
static void test_a_message_without_an_answer_holds_nothing_up(void **state) {
    (void)state;
    const int64_t start = 5 * USEC_PER_SEC;
    struct pace_bucket b;
    pace_bucket_init(&b, (struct rate){1, USEC_PER_SEC}, 0);
    assert_true(pace_bucket_take(&b, start));
    assert_int_equal(pace_bucket_tokens(&b, start + PACE_TRANSIT_USEC + USEC_PER_SEC), 0);
    assert_true(pace_bucket_when(&b, start) < start + PACE_TRANSIT_USEC + 11 * USEC_PER_SEC / 10);
    assert_int_equal(pace_bucket_tokens(&b, start + PACE_TRANSIT_USEC + 11 * USEC_PER_SEC / 10), 1);
    pace_bucket_done(&b, start, start + 10); /* out of order with what follows: it never is */
    assert_true(pace_bucket_when(&b, start) < start + 11 * USEC_PER_SEC / 10);
    /* an answer to what a bucket before this one was asked for */
    pace_bucket_init(&b, (struct rate){1, USEC_PER_SEC}, start);
    pace_bucket_done(&b, start - 1, start + 1);
    assert_true(pace_bucket_take(&b, start + 3 * USEC_PER_SEC));
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

static void spend(struct pace_daily *d, int64_t now, unsigned n) {
    int64_t hour = 0;
    assert_int_equal(pace_daily_reserve(d, n, now, &hour), n);
    pace_daily_reserved(d, hour, n, true);
    assert_true(pace_daily_credit(d, now) >= n);
    for (unsigned i = 0; i < n; i++)
        pace_daily_take(d);
}

static const int64_t noon = 480000 * USEC_PER_HOUR;

static void test_daily_limit(void **state) {
    (void)state;
    struct pace_daily d;
    pace_daily_init(&d, 3);
    assert_int_equal(pace_daily_left(&d, noon), 3);
    spend(&d, noon, 1);
    spend(&d, noon + USEC_PER_HOUR, 1);
    assert_int_equal(pace_daily_left(&d, noon + USEC_PER_HOUR), 1);
    assert_int_equal(pace_daily_wait_usec(&d, noon + USEC_PER_HOUR), 0);
    spend(&d, noon + USEC_PER_HOUR, 1);
    assert_int_equal(pace_daily_left(&d, noon + USEC_PER_HOUR), 0);
    assert_int_equal(pace_daily_wait_usec(&d, noon + USEC_PER_HOUR), 24 * USEC_PER_HOUR);
    assert_int_equal(pace_daily_left(&d, noon + 25 * USEC_PER_HOUR - 1), 0);
    assert_int_equal(pace_daily_left(&d, noon + 25 * USEC_PER_HOUR), 1);
    assert_int_equal(pace_daily_left(&d, noon + 26 * USEC_PER_HOUR), 3);
    assert_int_equal(pace_daily_left(&d, noon + 1000 * USEC_PER_HOUR), 3);

    /* After a restart the store tells what was used; older hours no longer count, later ones do. */
    pace_daily_init(&d, 100);
    pace_daily_load(&d, 480000, 30, noon);
    pace_daily_load(&d, 480000 - 24, 20, noon);
    pace_daily_load(&d, 480000 - 25, 40, noon);
    pace_daily_load(&d, 480000 + 99, 5, noon);
    assert_int_equal(pace_daily_left(&d, noon), 45);
    assert_int_equal(pace_daily_left(&d, noon + USEC_PER_HOUR), 65);
    assert_int_equal(pace_daily_left(&d, noon + 26 * USEC_PER_HOUR), 100);

    pace_daily_init(&d, 0);
    int64_t hour;
    assert_int_equal(pace_daily_reserve(&d, 5, noon, &hour), 0);
    assert_int_equal(pace_daily_credit(&d, noon), UINT_MAX);
    pace_daily_take(&d);
    assert_true(pace_daily_left(&d, noon) == UINT64_MAX);
}

/* Spends all it may at every step; then no 24 hours hold more than the limit, with a minute for the way. */
static void test_no_day_exceeds_its_limit(void **state) {
    (void)state;
    enum { LIMIT = 100, SENT_MAX = 2000 };
    static int64_t sent[SENT_MAX];
    static const int64_t steps[] = {USEC_PER_MIN, 7 * USEC_PER_MIN, 59 * USEC_PER_MIN, 61 * USEC_PER_MIN};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        for (unsigned at_once = 1; at_once <= 100; at_once += 33) {
            struct pace_daily d;
            size_t count = 0;
            pace_daily_init(&d, LIMIT);
            for (int64_t now = noon - 1; now < noon + 200 * USEC_PER_HOUR; now += steps[i]) {
                unsigned n = pace_daily_left(&d, now) < at_once ? (unsigned)pace_daily_left(&d, now) : at_once;
                spend(&d, now, n);
                assert_true(pace_daily_left(&d, now) == 0 || n == at_once);
                for (unsigned k = 0; k < n; k++)
                    sent[count++] = now;
                if (pace_daily_left(&d, now) == 0)
                    assert_in_range(pace_daily_wait_usec(&d, now), 1, 25 * USEC_PER_HOUR + USEC_PER_MIN);
            }
            size_t wished = at_once * (size_t)(200 * USEC_PER_HOUR / steps[i]);
            assert_in_range(count, wished < 7 * LIMIT ? wished : 7 * LIMIT, 10 * LIMIT);
            for (size_t first = 0, last = 0; first < count; first++) {
                while (last < count && sent[last] < sent[first] + 24 * USEC_PER_HOUR + USEC_PER_MIN)
                    last++;
                assert_true(last - first <= LIMIT);
            }
        }
}

static void test_what_is_reserved_counts_and_may_come_back(void **state) {
    (void)state;
    struct pace_daily d;
    int64_t hour, again;
    pace_daily_init(&d, 10);
    assert_int_equal(pace_daily_reserve(&d, 4, noon, &hour), 4);
    assert_int_equal(hour, 480000);
    assert_int_equal(pace_daily_left(&d, noon), 6);
    assert_int_equal(pace_daily_credit(&d, noon), 0); /* not before it is durable */
    pace_daily_reserved(&d, hour, 4, true);
    assert_int_equal(pace_daily_credit(&d, noon), 4);
    pace_daily_take(&d);
    assert_int_equal(pace_daily_credit(&d, noon), 3);
    /* what could not be written does not count */
    assert_int_equal(pace_daily_reserve(&d, 100, noon, &hour), 6);
    pace_daily_reserved(&d, hour, 6, false);
    assert_int_equal(pace_daily_left(&d, noon), 6);
    /* good for its hour, which ends a minute early */
    assert_int_equal(pace_daily_credit(&d, noon + 59 * USEC_PER_MIN - 1), 3);
    assert_int_equal(pace_daily_credit(&d, noon + 59 * USEC_PER_MIN), 0);
    assert_int_equal(pace_daily_left(&d, noon + 59 * USEC_PER_MIN), 6);
    assert_int_equal(pace_daily_give_back(&d, &again), 3);
    assert_int_equal(again, 480000);
    assert_int_equal(pace_daily_left(&d, noon + 59 * USEC_PER_MIN), 9);
    assert_int_equal(pace_daily_give_back(&d, &again), 0);
    /* durable too late: it counts and is of no use */
    assert_int_equal(pace_daily_reserve(&d, 2, noon, &hour), 2);
    pace_daily_reserved(&d, hour, 2, true);
    assert_int_equal(pace_daily_credit(&d, noon + USEC_PER_HOUR), 0);
    assert_int_equal(pace_daily_left(&d, noon + USEC_PER_HOUR), 7);
}

static void test_a_clock_that_jumps_takes_the_count_along(void **state) {
    (void)state;
    static const int64_t jumps[] = {1, 2, 24, 25, 1000, -1, -2, -24, -25, -1000};
    for (size_t i = 0; i < sizeof jumps / sizeof jumps[0]; i++) {
        struct pace_daily d;
        pace_daily_init(&d, 10);
        spend(&d, noon, 3);
        spend(&d, noon + 3 * USEC_PER_HOUR, 5);
        int64_t now = noon + (4 + jumps[i]) * USEC_PER_HOUR;
        pace_daily_shift(&d, jumps[i], now);
        assert_int_equal(pace_daily_left(&d, now), 2);
        assert_int_equal(pace_daily_left(&d, now + 21 * USEC_PER_HOUR - 1), 2);
        assert_int_equal(pace_daily_left(&d, now + 21 * USEC_PER_HOUR), 5);
        assert_int_equal(pace_daily_left(&d, now + 24 * USEC_PER_HOUR), 10);
        spend(&d, now + 24 * USEC_PER_HOUR, 10);
    }
}

static void test_a_relay_that_refuses_us_rests_longer_each_time(void **state) {
    (void)state;
    struct pace_relay p;
    pace_relay_init(&p);
    int64_t now = 1000;
    assert_int_equal(pace_relay_state(&p, now), PACE_OPEN);
    assert_true(pace_relay_failed(&p, true, REST_MAX_USEC, now)); /* told at once */
    int64_t rest = PACE_REST_FIRST_USEC;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(pace_relay_state(&p, now), PACE_RESTING);
        assert_int_equal(p.until_usec, now + rest);
        assert_false(pace_relay_failed(&p, true, REST_MAX_USEC,
                                       now + 1)); /* of the same moment: neither longer nor told again */
        assert_int_equal(p.until_usec, now + rest);
        assert_int_equal(pace_relay_state(&p, now + rest - 1), PACE_RESTING);
        now += rest;
        assert_int_equal(pace_relay_state(&p, now), PACE_TRYING);
        assert_false(pace_relay_failed(&p, true, REST_MAX_USEC, now));
        rest = rest * 2 < REST_MAX_USEC ? rest * 2 : REST_MAX_USEC;
    }
    assert_int_equal(rest, REST_MAX_USEC);
    assert_int_equal(pace_relay_state(&p, now + rest), PACE_TRYING);
    assert_true(pace_relay_worked(&p));
    assert_int_equal(pace_relay_state(&p, now + rest), PACE_OPEN);
    assert_false(pace_relay_worked(&p));
    assert_true(pace_relay_failed(&p, true, REST_MAX_USEC, now)); /* a new episode is told again and begins short */
    assert_int_equal(p.until_usec, now + PACE_REST_FIRST_USEC);
}

static void test_a_relay_that_cannot_be_reached_is_told_after_an_hour(void **state) {
    (void)state;
    struct pace_relay p;
    pace_relay_init(&p);
    int64_t now = 0, told = -1;
    int tries = 0;
    for (; now < 3 * USEC_PER_HOUR; tries++) {
        if (pace_relay_failed(&p, false, REST_MAX_USEC, now)) {
            assert_int_equal(told, -1);
            told = now;
        }
        now = p.until_usec;
        assert_int_equal(pace_relay_state(&p, now), PACE_TRYING);
    }
    assert_true(told >= USEC_PER_HOUR && told < USEC_PER_HOUR + REST_MAX_USEC);
    assert_true(tries > 10 && tries < 30);
    /* What was an outage may turn out to be our account: that is another matter. */
    pace_relay_init(&p);
    assert_false(pace_relay_failed(&p, false, REST_MAX_USEC, 0));
    assert_true(pace_relay_failed(&p, true, REST_MAX_USEC, 1));
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
        cmocka_unit_test(test_a_message_without_an_answer_holds_nothing_up),
        cmocka_unit_test(test_daily_limit),
        cmocka_unit_test(test_no_day_exceeds_its_limit),
        cmocka_unit_test(test_what_is_reserved_counts_and_may_come_back),
        cmocka_unit_test(test_a_clock_that_jumps_takes_the_count_along),
        cmocka_unit_test(test_a_relay_that_refuses_us_rests_longer_each_time),
        cmocka_unit_test(test_a_relay_that_cannot_be_reached_is_told_after_an_hour),
        cmocka_unit_test(test_identical_refusals_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
