#include "store_helper.h"

#include <errno.h>

#include "base/clock.h"
#include "base/number.h"
#include "store/returned.h"
#include "store/store.h"
#include "store/suppression.h"

enum { LIST = 7, RUN = 3 };
#define QUIET (30 * USEC_PER_DAY)
#define DAY(n) ((n)*USEC_PER_DAY)

static int64_t score(struct db *db, int64_t person, const char *key, int64_t at) {
    int64_t count = -1;
    assert_int_equal(returned_score(db, person, key, at, QUIET, &count), 0);
    return count;
}

static void scores_grow_once_a_day_and_are_forgotten(void **state) {
    struct fixture *f = *state;
    int64_t p = fixture_member(f->db, LIST, 1, "de", 10), since;
    assert_int_equal(score(f->db, p, "a@b.example", DAY(100)), 1);
    assert_int_equal(score(f->db, p, "a@b.example", DAY(101) - 1), 1);
    assert_int_equal(score(f->db, p, "a@b.example", DAY(101)), 2);
    assert_int_equal(score(f->db, p, "a@b.example", DAY(131)), 3);     /* quiet for just 30 days */
    assert_int_equal(score(f->db, p, "a@b.example", DAY(161) + 1), 1); /* and one moment more */
    assert_int_equal(score(f->db, p, "new@b.example", DAY(163)), 1);   /* another address begins anew */
    assert_int_equal(returned_forget_score(f->db, p), 0);
    assert_int_equal(score(f->db, p, "new@b.example", DAY(165)), 1);
    /* An unknown domain: since when; it scores nothing by itself. */
    int64_t q = fixture_member(f->db, LIST, 2, "de", 10);
    assert_int_equal(returned_unknown(f->db, q, "a@b.example", DAY(10), QUIET, &since), 0);
    assert_int_equal(since, 0);
    assert_int_equal(returned_unknown(f->db, q, "a@b.example", DAY(13), QUIET, &since), 0);
    assert_int_equal(since, DAY(3));
    assert_int_equal(returned_unknown(f->db, q, "a@b.example", DAY(44), QUIET, &since), 0);
    assert_int_equal(since, 0);
    assert_int_equal(score(f->db, q, "a@b.example", DAY(44)), 1);
    /* Those of who has nothing more go from the store, too. */
    assert_int_equal(returned_forget_quiet(f->db, DAY(44)), STORE_DONE);
    assert_int_equal(score(f->db, q, "a@b.example", DAY(46)), 2);
    assert_int_equal(returned_forget_quiet(f->db, DAY(46) + 1), STORE_DONE);
    assert_int_equal(score(f->db, q, "a@b.example", DAY(48)), 1);
}

static void the_worst_report_stays(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    struct returned r = {.at_usec = 5, .class = "soft", .reason = "mailboxfull", .status = "5.2.2", .text = "full"};
    assert_int_equal(returned_get(f->db, RUN, 1, &arena, &r), 0);
    assert_int_equal(returned_keep(f->db, RUN, 1, &r), 1);
    assert_int_equal(returned_keep(f->db, RUN, 1, &r), 0);
    r.class = "hard";
    assert_int_equal(returned_keep(f->db, RUN, 1, &r), 1);
    r.class = "soft";
    assert_int_equal(returned_keep(f->db, RUN, 1, &r), 0);
    assert_int_equal(returned_get(f->db, RUN, 1, &arena, &r), 1);
    assert_string_equal(r.class, "hard");
    assert_int_equal(returned_erase(f->db, 1), 0);
    assert_int_equal(returned_get(f->db, RUN, 1, &arena, &r), 0);
    assert_int_equal(returned_tell(f->db, "b.example", DAY(1)), 1);
    assert_int_equal(returned_tell(f->db, "b.example", DAY(2) - 1), 0);
    assert_int_equal(returned_tell(f->db, "b.example", DAY(2)), 1);
}

static int on_held(void *user, int64_t announcement, const char *domain, int64_t hard, int64_t since_usec) {
    (void)since_usec;
    char *text = user;
    (void)snprintf(text, 100, "%lld %s %lld", (long long)announcement, domain, (long long)hard);
    return 0;
}

static void what_is_held_can_be_let_go(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    const struct returned hard = {
        .at_usec = 5, .class = "hard", .reason = "userunknown", .status = "5.1.1", .text = "no"};
    for (int forget = 0; forget < 2; forget++) {
        int64_t count = 0, people[2];
        struct returned_run run;
        char text[100] = "";
        const char *reason;
        char keys[2][64];
        for (int i = 0; i < 2; i++) {
            people[i] = fixture_member(f->db, LIST, 10 * forget + i, "de", 10);
            (void)snprintf(keys[i], sizeof keys[i], "person%d@town.example", 10 * forget + i);
            assert_int_equal(returned_keep(f->db, RUN + forget, people[i], &hard), 1);
            assert_int_equal(returned_run_add(f->db, RUN + forget, "town.example", &run), 0);
            assert_int_equal(run.hard, i + 1);
            assert_false(run.held);
            assert_int_equal(suppression_set(f->db, keys[i], i ? "command" : "hard-bounce", "", 6), 0);
        }
        assert_int_equal(returned_hold(f->db, RUN + forget, "town.example", 9, &count), 0);
        assert_int_equal(count, 2);
        /* What somebody said himself stays. */
        assert_int_equal(suppression_get(f->db, keys[0], &arena, &reason), 0);
        assert_int_equal(suppression_get(f->db, keys[1], &arena, &reason), 1);
        assert_int_equal(returned_run_add(f->db, RUN + forget, "town.example", &run), 0);
        assert_true(run.held);
        assert_int_equal(returned_each_held(f->db, on_held, text), 0);
        assert_string_equal(text, forget ? "4 town.example 3" : "3 town.example 3");
        count = 0;
        assert_int_equal(returned_let_go(f->db, "else.example", forget, 10, &count), -ENOENT);
        assert_int_equal(returned_let_go(f->db, "town.example", forget, 10, &count), 0);
        assert_int_equal(count, 2);
        assert_int_equal(suppression_get(f->db, keys[0], &arena, &reason), !forget);
        assert_int_equal(returned_let_go(f->db, "town.example", forget, 10, &count), -ENOENT);
    }
}

static int64_t size_of(struct db *db, int64_t announcement, const char *domain) {
    struct returned_sample sample = {0};
    struct returned_run run;
    int r;
    do {
        db_slice_begin(db, 1);
        r = returned_run_size(db, announcement, domain, &sample);
    } while (r == STORE_MORE);
    assert_int_equal(r, STORE_DONE);
    assert_int_equal(returned_run_get(db, announcement, domain, &run), 0);
    return run.size;
}

/* Of those tried, not of those it is for: most of them have nothing to come back yet. */
static void a_run_is_as_large_as_it_has_gone(void **state) {
    struct fixture *f = *state;
    int64_t id = fixture_announcement(f->db, LIST, 100);
    struct returned_run run;
    for (int i = 0; i < 50; i++) {
        int64_t p = fixture_member(f->db, LIST, i, "de", 10);
        assert_int_equal(db_run(f->db,
                                "INSERT INTO delivery (announcement, subscriber, list, language, state) VALUES (?, ?, "
                                "7, 'de', ?)",
                                NULL, "iid", id, p, i < 40 ? 2 : 6),
                         0);
    }
    assert_int_equal(db_run(f->db,
                            "UPDATE announcement SET total = 1000000, pending = 999950, delivered = 40, left_out = 10 "
                            "WHERE id = ?",
                            NULL, "i", id),
                     0);
    assert_int_equal(returned_run_add(f->db, id, "town.example", &run), 0);
    assert_int_equal(run.size, 0);
    assert_int_equal(size_of(f->db, id, "town.example"), 40);
    assert_int_equal(returned_run_add(f->db, id, "town.example", &run), 0);
    assert_int_equal(run.size, 40);
    assert_int_equal(size_of(f->db, id, "else.example"), 0);
}

static void many_reports_go_by_and_by(void **state) {
    struct fixture *f = *state;
    assert_int_equal(db_run(f->db,
                            "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT "
                            "INTO returned (announcement, subscriber, at, class, reason) SELECT 3, i, 5, 'soft', 'x' "
                            "FROM n",
                            NULL, ""),
                     0);
    unsigned steps = 0;
    db_slice_begin(f->db, 0);
    while (returned_drop(f->db, RUN) == STORE_MORE)
        steps++;
    db_slice_begin(f->db, -1);
    assert_true(steps > 1);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM returned"), 0);
}

/* RETURNED_MANY (6000) recipients, every second at the destination, every fourth unknown there. The longest call is shown. */
static int64_t longest[4];
enum { COUNT, TAKE, LET_GO, DROP };

/* In a transaction, as jobs are; its end is not the job's. */
static int64_t begin(struct db *db) {
    assert_int_equal(db_begin(db), 0);
    return clock_mono_usec();
}

static void end(struct db *db, int what, int64_t since) {
    int64_t took = clock_mono_usec() - since;
    longest[what] = took > longest[what] ? took : longest[what];
    assert_int_equal(db_commit(db), 0);
}

static int64_t count_of(struct db *db, const char *domain) {
    int64_t count = 0;
    assert_int_equal(
        db_get_int(db, "SELECT count(*) FROM suppression WHERE address_key LIKE '%@' || ?", &count, "t", domain), 1);
    return count;
}

static void many_are_held_and_let_go_in_slices(void **state) {
    struct fixture *f = *state;
    const char *given = getenv("RETURNED_MANY");
    int64_t many = given ? strtoll(given, NULL, 10) : 6000, begun, count = 0;
    struct returned_run found;
    int r;
    int64_t run = fixture_announcement(f->db, LIST, 0);
    assert_int_equal(db_run(f->db, "UPDATE announcement SET total = ? WHERE id = ?", NULL, "ii", many, run), 0);
    assert_int_equal(
        db_run(f->db,
               "INSERT INTO subscriber (id, address_key, address, created, changed) WITH RECURSIVE n(i) AS "
               "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i, 'p' || i || "
               "iif(i % 2, '@big.example', '@small.example'), '', 1, 1 FROM n",
               NULL, "i", many),
        0);
    assert_int_equal(
        db_run(f->db,
               "INSERT INTO delivery (announcement, subscriber, list, language, state) SELECT ?, id, 7, 'de', 2 "
               "FROM subscriber",
               NULL, "i", run),
        0);
    assert_int_equal(
        db_run(f->db,
               "INSERT INTO returned (announcement, subscriber, at, class, reason, status, text) SELECT ?, id, "
               "5, iif(id % 4 = 1, 'hard', 'soft'), 'x', '5.1.1', 'no' FROM subscriber",
               NULL, "i", run),
        0);
    assert_int_equal(
        db_run(f->db,
               "INSERT INTO suppression SELECT address_key, 6, 'hard-bounce', '' FROM subscriber WHERE id % 4 = 1",
               NULL, ""),
        0);
    assert_int_equal(returned_run_add(f->db, run, "big.example", &found), 0);
    struct returned_sample sample = {0};
    unsigned slices = 0;
    do {
        db_slice_begin(f->db, 1);
        begun = begin(f->db);
        r = returned_run_size(f->db, run, "big.example", &sample);
        end(f->db, COUNT, begun);
        slices++;
    } while (r == STORE_MORE);
    assert_in_range(slices, 2, 1 << 20);
    assert_int_equal(returned_run_get(f->db, run, "big.example", &found), 0);
    assert_int_equal(found.size, many / 2);
    /* Nothing is left of what was suppressed at the destination; a slice does not wait for all. */
    begun = begin(f->db);
    assert_int_equal(returned_hold(f->db, run, "big.example", 9, &count), 0);
    end(f->db, TAKE, begun);
    assert_in_range(count, 1, many / 4 - 1);
    slices = 1;
    do {
        db_slice_begin(f->db, 1);
        begun = begin(f->db);
        r = returned_take_back(f->db);
        end(f->db, TAKE, begun);
        slices++;
    } while (r == STORE_MORE);
    assert_int_equal(r, STORE_DONE);
    assert_in_range(slices, 2, 1 << 20);
    assert_int_equal(count_of(f->db, "big.example"), 0);
    count = 0;
    do {
        db_slice_begin(f->db, 1);
        begun = begin(f->db);
        r = returned_let_go(f->db, "big.example", false, 10, &count);
        end(f->db, LET_GO, begun);
    } while (r == STORE_MORE);
    assert_int_equal(r, STORE_DONE);
    assert_int_equal(count, many / 4);
    assert_int_equal(count_of(f->db, "big.example"), many / 4);
    do {
        db_slice_begin(f->db, 1);
        begun = begin(f->db);
        r = returned_drop(f->db, run);
        end(f->db, DROP, begun);
    } while (r == STORE_MORE);
    assert_int_equal(db_get_int(f->db, "SELECT count(*) FROM returned", &count, ""), 1);
    assert_int_equal(count, 0);
    db_slice_begin(f->db, -1);
    print_message("%lld recipients; the longest call in us: count %lld, take back %lld, let go %lld, drop %lld\n",
                  (long long)many, (long long)longest[COUNT], (long long)longest[TAKE], (long long)longest[LET_GO],
                  (long long)longest[DROP]);
}

int main(void) {
    const struct CMUnitTest tests[] = {FIXTURE_TEST(a_run_is_as_large_as_it_has_gone),
                                       FIXTURE_TEST(many_reports_go_by_and_by),
                                       FIXTURE_TEST(scores_grow_once_a_day_and_are_forgotten),
                                       FIXTURE_TEST(the_worst_report_stays),
                                       FIXTURE_TEST(what_is_held_can_be_let_go),
                                       FIXTURE_TEST(many_are_held_and_let_go_in_slices)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
