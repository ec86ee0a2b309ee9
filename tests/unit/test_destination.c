#include "send/destination.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "conf/conf.h"

static const struct view slow = {"slow.example", 12}, other = {"other.example", 13}, paced = {"paced.example", 13},
                         narrow = {"narrow.example", 14};

static struct conf_destination sections[] = {
    {.domain = "narrow.example", .connections = 2},
    {.domain = "paced.example", .rate = {60, USEC_PER_MIN}},
};
#define SILENCE_USEC (10 * USEC_PER_MIN)
static const struct conf conf = {.destinations = sections, .destination_count = 2, .silence_usec = SILENCE_USEC};

static struct destinations *fresh(void) {
    struct destinations *d;
    assert_int_equal(destinations_new(&d), 0);
    assert_int_equal(destinations_configure(d, &conf, 0), 0);
    return d;
}

static void take(struct destinations *d, struct view domain, int64_t now, enum destination_answer expected) {
    int64_t when = -1;
    assert_int_equal(destination_take(d, domain, now, &when), expected);
    if (expected == DESTINATION_LATER)
        assert_true(when > now);
    else
        assert_int_equal(when, -1);
}

static void test_free_ones_have_no_limit(void **state) {
    (void)state;
    struct destinations *d = fresh();
    for (int i = 0; i < 1000; i++)
        take(d, other, 0, DESTINATION_GO);
    destinations_free(d);
}

static void test_connections(void **state) {
    (void)state;
    struct destinations *d = fresh();
    take(d, narrow, 0, DESTINATION_GO);
    take(d, narrow, 0, DESTINATION_GO);
    take(d, narrow, 0, DESTINATION_BUSY);
    take(d, other, 0, DESTINATION_GO);
    assert_false(destination_done(d, narrow, DESTINATION_OTHER, 0, 1));
    take(d, narrow, 1, DESTINATION_GO);
    take(d, narrow, 1, DESTINATION_BUSY);
    destinations_free(d);
}

static void test_rate(void **state) {
    (void)state;
    struct destinations *d = fresh();
    int64_t now = 0, when = 0;
    take(d, paced, now, DESTINATION_LATER); /* a bucket begins empty */
    unsigned sent = 0;
    while (now < USEC_PER_HOUR) {
        if (destination_take(d, paced, now, &when) == DESTINATION_GO) {
            sent++;
            destination_done(d, paced, DESTINATION_DELIVERED, now, now);
        } else {
            now = when;
        }
    }
    assert_in_range(sent, 3400, 3600);
    destinations_free(d);
}

static void test_slow_down(void **state) {
    (void)state;
    struct destinations *d = fresh();
    const int64_t end = SILENCE_USEC + 100;
    for (int i = 0; i < 3; i++)
        take(d, slow, 0, DESTINATION_GO);
    assert_true(destination_done(d, slow, DESTINATION_SLOW_DOWN, 0, 50));
    assert_false(destination_done(d, slow, DESTINATION_SLOW_DOWN, 0, 100)); /* not news any more */
    destination_done(d, slow, DESTINATION_DELIVERED, 0, 101);
    take(d, slow, 102, DESTINATION_LATER);
    take(d, other, 102, DESTINATION_GO);
    take(d, slow, end - 1, DESTINATION_LATER);
    int64_t now = end;
    for (unsigned at_once = 1; at_once < DESTINATION_CAREFUL_MAX; at_once++)
        for (unsigned done = 0; done < DESTINATION_STEP;) {
            for (unsigned i = 0; i < at_once; i++)
                take(d, slow, now, DESTINATION_GO);
            take(d, slow, now, DESTINATION_BUSY);
            for (unsigned i = 0; i < at_once; i++) {
                enum destination_verdict v = done < DESTINATION_STEP ? DESTINATION_DELIVERED : DESTINATION_OTHER;
                if (v == DESTINATION_DELIVERED)
                    done++;
                assert_false(destination_done(d, slow, v, 0, now));
            }
        }
    for (int i = 0; i < 100; i++)
        take(d, slow, now, DESTINATION_GO);
    destinations_free(d);
}

static void test_asked_again_while_careful(void **state) {
    (void)state;
    struct destinations *d = fresh();
    take(d, slow, 0, DESTINATION_GO);
    destination_done(d, slow, DESTINATION_SLOW_DOWN, 0, 0);
    int64_t now = SILENCE_USEC;
    take(d, slow, now, DESTINATION_GO);
    assert_true(destination_done(d, slow, DESTINATION_SLOW_DOWN, 0, now));
    take(d, slow, now + SILENCE_USEC - 1, DESTINATION_LATER);
    take(d, slow, now + SILENCE_USEC, DESTINATION_GO);
    take(d, slow, now + SILENCE_USEC, DESTINATION_BUSY);
    /* anything but a delivery begins the count again */
    now += SILENCE_USEC;
    for (int i = 0; i < 3 * DESTINATION_STEP; i++) {
        destination_done(d, slow, i % DESTINATION_STEP == 5 ? DESTINATION_OTHER : DESTINATION_DELIVERED, 0, now);
        take(d, slow, now, DESTINATION_GO);
        if (i < DESTINATION_STEP + 4)
            take(d, slow, now, DESTINATION_BUSY);
    }
    destinations_free(d);
}

static void test_hints(void **state) {
    (void)state;
    struct destinations *d = fresh();
    take(d, slow, 0, DESTINATION_GO);
    assert_false(destination_done(d, slow, DESTINATION_HINT, 0, 0));
    take(d, slow, 0, DESTINATION_GO); /* not silent, but one at a time */
    take(d, slow, 0, DESTINATION_BUSY);
    assert_false(destination_done(d, slow, DESTINATION_DELIVERED, 0, 0));
    take(d, slow, 0, DESTINATION_GO);
    assert_false(destination_done(d, slow, DESTINATION_HINT, 0, 0)); /* there was a delivery between */
    take(d, slow, 0, DESTINATION_GO);
    assert_true(destination_done(d, slow, DESTINATION_HINT, 0, 0));
    take(d, slow, 1, DESTINATION_LATER);
    destinations_free(d);
}

static void test_turns(void **state) {
    (void)state;
    struct destinations *d = fresh();
    take(d, slow, 0, DESTINATION_GO);
    destination_done(d, slow, DESTINATION_SLOW_DOWN, 0, 0);
    int64_t last = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t turn = destination_turn(d, slow, 5);
        assert_true(turn >= SILENCE_USEC);
        assert_true(i == 0 || turn == last + DESTINATION_STEP_SILENT_USEC);
        last = turn;
    }
    assert_true(destination_turn(d, paced, 0) >= 0);
    int64_t a = destination_turn(d, paced, 0), b = destination_turn(d, paced, 0);
    assert_in_range(b - a, USEC_PER_SEC, USEC_PER_SEC * 11 / 10); /* as its tokens come */
    for (int i = 0; i < 50000; i++)
        assert_true(destination_turn(d, paced, 0) <= DESTINATION_PUT_OFF_MAX_USEC + 5 * USEC_PER_SEC);
    destinations_free(d);
}

static void test_turns_given_out_elsewhere(void **state) {
    (void)state;
    enum { NEAR = USEC_PER_SEC };
    struct destinations *d = fresh();
    struct destination_shut shut[DESTINATIONS_SHUT_MAX];
    take(d, slow, 0, DESTINATION_GO);
    destination_done(d, slow, DESTINATION_SLOW_DOWN, 0, 0);
    assert_int_equal(destinations_shut(d, true, NEAR, 1, shut), 0); /* nobody had to wait yet */
    int64_t first = destination_turn(d, slow, 1);
    assert_int_equal(destinations_shut(d, false, NEAR, 1, shut), 1);
    assert_string_equal(shut[0].domain, "slow.example");
    int64_t last = first;
    for (unsigned i = 0; i < 3; i++) {
        int64_t turn = destination_shut_turn(&shut[0]);
        assert_int_equal(turn, last + DESTINATION_STEP_SILENT_USEC);
        last = turn;
    }
    destination_shut_done(d, &shut[0]);
    assert_int_equal(destination_turn(d, slow, 1), last + DESTINATION_STEP_SILENT_USEC);
    for (unsigned i = 0; i < 100000; i++)
        assert_in_range(destination_shut_turn(&shut[0]), SILENCE_USEC, SILENCE_USEC + DESTINATION_PUT_OFF_MAX_USEC);
    assert_int_equal(destinations_shut(d, true, NEAR, SILENCE_USEC, shut), 0); /* the silence is over */
    take(d, slow, SILENCE_USEC, DESTINATION_GO);
    take(d, slow, SILENCE_USEC, DESTINATION_BUSY);
    assert_int_equal(destinations_shut(d, false, NEAR, SILENCE_USEC, shut), 0); /* some may wait in hand */
    assert_int_equal(destinations_shut(d, true, NEAR, SILENCE_USEC, shut), 1);
    /* many: the latest are known */
    for (unsigned i = 0; i < 3 * DESTINATIONS_SHUT_MAX; i++) {
        char domain[64];
        (void)snprintf(domain, sizeof domain, "d%u.example", i); /* fits */
        take(d, view_of(domain), 0, DESTINATION_GO);
        destination_done(d, view_of(domain), DESTINATION_SLOW_DOWN, 0, 0);
        (void)destination_turn(d, view_of(domain), 0);
    }
    assert_int_equal(destinations_shut(d, false, NEAR, 1, shut), DESTINATIONS_SHUT_MAX);
    destinations_free(d);
}

static void name(char *to, size_t size, unsigned i) {
    (void)snprintf(to, size, "d%u.example", i); /* fits */
}

static void test_the_table_is_bounded(void **state) {
    (void)state;
    struct destinations *d = fresh();
    char domain[64];
    /* idle ones make room */
    for (unsigned i = 0; i < 3 * DESTINATIONS_MAX; i++) {
        name(domain, sizeof domain, i);
        take(d, view_of(domain), 0, DESTINATION_GO);
        destination_done(d, view_of(domain), DESTINATION_DELIVERED, 0, 0);
    }
    /* slowed ones stay, until nothing more fits: then the next goes unlimited */
    for (unsigned i = 0; i < DESTINATIONS_MAX - 1; i++) {
        name(domain, sizeof domain, i);
        take(d, view_of(domain), 0, DESTINATION_GO);
        destination_done(d, view_of(domain), DESTINATION_SLOW_DOWN, 0, 0);
    }
    take(d, VIEW("d0.example"), 1, DESTINATION_LATER);
    take(d, slow, 1, DESTINATION_GO);
    assert_false(destination_done(d, slow, DESTINATION_SLOW_DOWN, 0, 1));
    take(d, slow, 1, DESTINATION_GO);
    destinations_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_free_ones_have_no_limit),
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_slow_down),
        cmocka_unit_test(test_asked_again_while_careful),
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_turns_given_out_elsewhere),
        cmocka_unit_test(test_the_table_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
