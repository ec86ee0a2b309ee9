#include "store_helper.h"

#include <errno.h>

#include "base/number.h"
#include "store/notice.h"
#include "store/relay_usage.h"

static struct outcome outcome_of(enum outcome_class class) {
    struct outcome o = {.class = class, .code = 451, .status = "4.0.0", .text = "later"};
    return o;
}

static void notices_are_claimed_in_order(void **state) {
    struct fixture *f = *state;
    struct notice n;
    assert_int_equal(notice_claim(f->db, 100, &n), 0);
    assert_int_equal(notice_add(f->db, "proof", 5, "office", "main,second", "a@town.example",
                                view_make("Subject: x\r\n\r\nb\0dy", 18), 100),
                     0);
    assert_int_equal(notice_add(f->db, "alert", 0, "office", NULL, "b@town.example", VIEW("two"), 100), 0);
    int64_t due = 0;
    assert_int_equal(notice_next_due(f->db, &due), 0);
    assert_int_equal(due, 100);
    assert_int_equal(notice_claim(f->db, 99, &n), 0);
    assert_int_equal(notice_claim(f->db, 100, &n), 1);
    assert_int_equal(n.attempts, 0);
    assert_string_equal(n.sender, "office");
    assert_string_equal(n.relays, "main,second");
    assert_string_equal(n.recipient, "a@town.example");
    assert_true(view_eq(n.message, view_make("Subject: x\r\n\r\nb\0dy", 18)));
    int64_t first = n.id;
    notice_done(&n);
    assert_int_equal(notice_claim(f->db, 100, &n), 1);
    assert_string_equal(n.recipient, "b@town.example");
    assert_string_equal(n.relays, "");
    int64_t second = n.id;
    notice_done(&n);
    assert_int_equal(notice_claim(f->db, 100, &n), 0);
    assert_int_equal(notice_next_due(f->db, &due), 0);
    assert_int_equal(due, 0);

    struct outcome o = outcome_of(OUTCOME_DEFERRED);
    assert_int_equal(notice_record(f->db, first, &o, 200, 300, "main"), 0);
    assert_int_equal(notice_record(f->db, first, &o, 200, 300, "main"), -ESTALE);
    assert_int_equal(notice_next_due(f->db, &due), 0);
    assert_int_equal(due, 300);
    assert_int_equal(notice_claim(f->db, 300, &n), 1);
    assert_true(n.id == first && n.attempts == 1);
    notice_done(&n);
    assert_int_equal(notice_unclaim(f->db, first, 350), 0);
    assert_int_equal(notice_unclaim(f->db, first, 350), -ESTALE);
    assert_int_equal(notice_claim(f->db, 350, &n), 1);
    assert_true(n.id == first && n.attempts == 1);
    notice_done(&n);
    o = outcome_of(OUTCOME_DELIVERED);
    assert_int_equal(notice_record(f->db, first, &o, 400, 500, "main"), 0); /* delivered: never again */
    o = outcome_of(OUTCOME_REFUSED);
    assert_int_equal(notice_record(f->db, second, &o, 400, 500, NULL), 0);
    assert_int_equal(notice_next_due(f->db, &due), 0);
    assert_int_equal(due, 0);
}

static void claimed_notices_are_due_after_a_start(void **state) {
    struct fixture *f = *state;
    struct notice n;
    assert_int_equal(notice_add(f->db, "proof", 5, "office", "", "a@town.example", VIEW("x"), 100), 0);
    assert_int_equal(notice_claim(f->db, 100, &n), 1);
    notice_done(&n);
    fixture_reopen(f);
    assert_int_equal(notice_recover(f->db, 900), 0);
    assert_int_equal(notice_claim(f->db, 900, &n), 1);
    assert_int_equal(n.attempts, 1);
    notice_done(&n);
}

static void print_hour(void *user, int64_t hour, uint64_t messages) {
    buf_printf(user, "%lld:%llu ", (long long)hour, (unsigned long long)messages);
}

static void usage_counts_a_day(void **state) {
    struct fixture *f = *state;
    uint64_t n = 7;
    int64_t now = 1000 * USEC_PER_HOUR;
    assert_int_equal(relay_usage_day(f->db, "main", now, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(relay_usage_add(f->db, "main", 976, 1), 0);
    assert_int_equal(relay_usage_add(f->db, "main", 977, 10), 0);
    assert_int_equal(relay_usage_add(f->db, "main", 1000, 100), 0);
    assert_int_equal(relay_usage_add(f->db, "main", 1000, 100), 0);
    assert_int_equal(relay_usage_add(f->db, "second", 1000, 1000), 0);
    assert_int_equal(relay_usage_day(f->db, "main", now, &n), 0);
    assert_int_equal(n, 210);
    struct buf hours = BUF_INIT(200);
    assert_int_equal(relay_usage_add(f->db, "main", 975, 5), 0);
    assert_int_equal(relay_usage_hours(f->db, "main", now, print_hour, &hours), 0);
    assert_string_equal(buf_str(&hours), "976:1 977:10 1000:200 ");
    buf_clear(&hours);
    assert_int_equal(relay_usage_add(f->db, "main", 1000, -50), 0);
    assert_int_equal(relay_usage_add(f->db, "main", 977, -50), 0); /* never below nothing */
    assert_int_equal(relay_usage_add(f->db, "main", 1001, 7), 0);
    assert_int_equal(relay_usage_hours(f->db, "main", now, print_hour, &hours), 0);
    assert_string_equal(buf_str(&hours), "976:1 977:0 1000:150 1001:7 ");
    buf_done(&hours);
}

static void usage_goes_along_with_the_clock(void **state) {
    struct fixture *f = *state;
    static const struct {
        int64_t hours;
        const char *left;
    } cases[] = {{1, "977:1 1000:3 1001:4 "}, {-3, "973:1 996:3 997:4 "}, {500, "1476:1 1499:3 1500:4 "}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf hours = BUF_INIT(200);
        int64_t now = (1000 + cases[i].hours) * USEC_PER_HOUR;
        assert_int_equal(db_run(f->db, "DELETE FROM relay_usage", NULL, ""), 0);
        assert_int_equal(relay_usage_add(f->db, "main", 976, 1), 0);
        assert_int_equal(relay_usage_add(f->db, "main", 999, 3), 0);
        assert_int_equal(relay_usage_add(f->db, "main", 1000, 4), 0);
        assert_int_equal(relay_usage_shift(f->db, cases[i].hours, now), 0);
        assert_int_equal(relay_usage_hours(f->db, "main", now, print_hour, &hours), 0);
        assert_string_equal(buf_str(&hours), cases[i].left);
        /* a start with a clock that is behind: what is to come is gathered in the next hour */
        buf_clear(&hours);
        assert_int_equal(relay_usage_gather(f->db, now - 100 * USEC_PER_HOUR), 0);
        assert_int_equal(relay_usage_hours(f->db, "main", now - 100 * USEC_PER_HOUR, print_hour, &hours), 0);
        AUTOBUF struct buf expected = BUF_INIT(100);
        buf_printf(&expected, "%lld:8 ", (long long)(1000 + cases[i].hours - 99));
        assert_string_equal(buf_str(&hours), buf_str(&expected));
        buf_done(&hours);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(notices_are_claimed_in_order),
        FIXTURE_TEST(claimed_notices_are_due_after_a_start),
        FIXTURE_TEST(usage_counts_a_day),
        FIXTURE_TEST(usage_goes_along_with_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
