#include "unit.h"

#include "store_helper.h"

#include <errno.h>

#include "store/delivery.h"
#include "store/resend.h"
#include "store/store.h"
#include "store/suppression.h"
#include "store/tally.h"

enum { LIST = 7, NOW = 5000 };

static struct why why;

/* An announcement that is over, with one row of a state. */
static int64_t over(struct fixture *f, int64_t subscriber, int state, int code, const char *text) {
    int64_t id = fixture_announcement(f->db, LIST, NOW + 1000);
    assert_int_equal(db_run(f->db, "UPDATE announcement SET state = 7, total = 1 WHERE id = ?", NULL, "i", id), 0);
    assert_int_equal(
        db_run(f->db,
               "INSERT INTO delivery (announcement, subscriber, list, language, state, at, code, text) VALUES "
               "(?, ?, ?, 'de', ?, 100, ?, ?)",
               NULL, "iiiddt", id, subscriber, (int64_t)LIST, state, code, text),
        0);
    return id;
}

static enum resend_reason reason_of(struct fixture *f, int64_t id, const int64_t *named) {
    struct resend r = {.announcement = id, .named = named, .named_count = named != NULL};
    assert_int_equal(resend_step(f->db, &r, NOW, &why), STORE_DONE);
    for (int i = 0; i < RESEND_REASONS; i++)
        if (r.counts[i])
            return (enum resend_reason)i;
    return RESEND_REASONS;
}

static void who_gets_it_again(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *text;
        int state, code;
        enum resend_reason reason, named;
    } cases[] = {
        {"not now", DELIVERY_DEFERRED, 451, RESEND_DEFERRED, RESEND_DEFERRED},
        {"", DELIVERY_IN_DOUBT, 0, RESEND_IN_DOUBT, RESEND_IN_DOUBT},
        {"deadline", DELIVERY_REFUSED, 0, RESEND_LATE, RESEND_LATE},
        {"nobody here", DELIVERY_REFUSED, 550, RESEND_NOT_REFUSED, RESEND_NAMED},
        {"suppressed", DELIVERY_LEFT_OUT, 0, RESEND_UNSUPPRESSED, RESEND_UNSUPPRESSED},
        {"left", DELIVERY_LEFT_OUT, 0, RESEND_REASONS, RESEND_REASONS},
        {"stopped", DELIVERY_LEFT_OUT, 0, RESEND_REASONS, RESEND_REASONS},
        {"", DELIVERY_DELIVERED, 250, RESEND_REASONS, RESEND_REASONS},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t subscriber = fixture_member(f->db, LIST, (int)i + 1, "de", 1);
        int64_t id = over(f, subscriber, cases[i].state, cases[i].code, cases[i].text);
        unit_int(cases[i].text, (int)reason_of(f, id, NULL), (int)cases[i].reason);
        unit_int(cases[i].text, (int)reason_of(f, id, &subscriber), (int)cases[i].named);
        int64_t other = subscriber + 1000;
        unit_int(cases[i].text, (int)reason_of(f, id, &other), (int)RESEND_REASONS);
    }
}

/* By a command, or by themselves at the web door. */
static void a_new_address_is_tried(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *how, *evidence;
        enum resend_reason reason;
    } cases[] = {{"command", "address: b@town.example, before a@town.example", RESEND_CORRECTED},
                 {"confirmed", "address; answer to the mail <x@office.example>", RESEND_CORRECTED},
                 {"preferences", "language", RESEND_NOT_REFUSED},
                 {"command", "tags", RESEND_NOT_REFUSED}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t subscriber = fixture_member(f->db, LIST, (int)i + 1, "de", 1);
        int64_t id = over(f, subscriber, DELIVERY_REFUSED, 550, "nobody here");
        assert_int_equal(db_run(f->db,
                                "INSERT INTO consent (subscriber, list, at, what, how, evidence) VALUES (?, 0, 200, "
                                "'changed', ?, ?)",
                                NULL, "itt", subscriber, cases[i].how, cases[i].evidence),
                         0);
        unit_int(cases[i].evidence, (int)reason_of(f, id, NULL), (int)cases[i].reason);
    }
}

static void who_is_gone_gets_nothing(void **state) {
    struct fixture *f = *state;
    int64_t subscriber = fixture_member(f->db, LIST, 1, "de", 1), id = over(f, subscriber, DELIVERY_DEFERRED, 451, "");
    assert_int_equal(suppression_set(f->db, "person1@town.example", "command", "", 1), 0);
    assert_int_equal(reason_of(f, id, NULL), RESEND_NOT_GONE);
    bool was;
    assert_int_equal(suppression_clear(f->db, "person1@town.example", &was), 0);
    assert_int_equal(reason_of(f, id, NULL), RESEND_DEFERRED);
    assert_int_equal(db_run(f->db, "UPDATE subscription SET state = 3 WHERE list > 0", NULL, ""), 0);
    assert_int_equal(reason_of(f, id, NULL), RESEND_NOT_GONE);
    int64_t nobody = over(f, 999, DELIVERY_DEFERRED, 451, "");
    assert_int_equal(reason_of(f, nobody, NULL), RESEND_NOT_GONE);
}

static void only_what_is_over_and_has_time(void **state) {
    struct fixture *f = *state;
    int64_t subscriber = fixture_member(f->db, LIST, 1, "de", 1), id = over(f, subscriber, DELIVERY_DEFERRED, 451, "");
    assert_int_equal(resend_begin(f->db, 99, 0, true, NOW, &why), -ENOENT);
    assert_int_equal(resend_begin(f->db, id, 0, true, NOW + 1000, &why), -ESTALE);
    assert_non_null(strstr(why.todo, "--send-until"));
    assert_int_equal(resend_begin(f->db, id, NOW + 1000, true, NOW + 1000, &why), -ESTALE);
    assert_int_equal(resend_begin(f->db, id, NOW + 2000, true, NOW + 1000, &why), 0);
    assert_int_equal(fixture_int(f->db, "SELECT state FROM announcement"), 7);
    assert_int_equal(resend_begin(f->db, id, 0, false, NOW, &why), 0);
    assert_int_equal(fixture_int(f->db, "SELECT state FROM announcement"), 5);
    assert_int_equal(resend_begin(f->db, id, 0, true, NOW, &why), -ESTALE);
}

/* Of two at the same time one sends: the other must not touch what is on its way already. */
static void only_while_it_is_done(void **state) {
    struct fixture *f = *state;
    int64_t subscriber = fixture_member(f->db, LIST, 1, "de", 1), id = over(f, subscriber, DELIVERY_IN_DOUBT, 0, "");
    struct resend r = {.announcement = id, .change = true};
    assert_int_equal(db_run(f->db, "UPDATE announcement SET state = 5", NULL, ""), 0);
    assert_int_equal(resend_step(f->db, &r, NOW, &why), -ESTALE);
    assert_int_equal(fixture_int(f->db, "SELECT state FROM delivery"), DELIVERY_IN_DOUBT);
    assert_int_equal(db_run(f->db, "UPDATE announcement SET state = 7, purged = 1", NULL, ""), 0);
    assert_int_equal(resend_step(f->db, &r, NOW, &why), -ESTALE);
}

static void counters_follow(void **state) {
    struct fixture *f = *state;
    int64_t subscriber = fixture_member(f->db, LIST, 1, "de", 1), id = over(f, subscriber, DELIVERY_IN_DOUBT, 0, "");
    assert_int_equal(db_run(f->db, "UPDATE announcement SET in_doubt = 1", NULL, ""), 0);
    assert_int_equal(db_run(f->db, "UPDATE announcement_list SET in_doubt = 1", NULL, ""), 0);
    struct resend r = {.announcement = id, .change = true};
    assert_int_equal(resend_step(f->db, &r, NOW, &why), STORE_DONE);
    assert_int_equal(tally_flush(f->db), 0);
    assert_int_equal(fixture_int(f->db, "SELECT deferred - in_doubt FROM announcement"), 1);
    assert_int_equal(fixture_int(f->db, "SELECT due FROM delivery"), NOW);
    assert_int_equal(delivery_verify(f->db, id), 0);
}

#define IN_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_STORE(who_gets_it_again),     IN_STORE(who_is_gone_gets_nothing),       IN_STORE(a_new_address_is_tried),
        IN_STORE(only_while_it_is_done), IN_STORE(only_what_is_over_and_has_time), IN_STORE(counters_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
