#include "store_helper.h"

#include <errno.h>

#include "store/applied.h"
#include "store/list_pin.h"
#include "store/store.h"
#include "store/subscription.h"

enum { LIST = 7 };

static const struct consent by_link = {
    .what = "left", .how = "link", .origin = "web", .request = (const uint8_t *)"0123456789abcdef"};

static int on_entry(void *user, const struct consent_row *row) {
    char *text = user;
    size_t len = strlen(text);
    (void)snprintf(text + len, 512 - len, "%lld %u %s %s %s %s %s; ", (long long)row->at_usec, (unsigned)row->list,
                   row->what, row->how, row->origin, row->basis, row->evidence);
    return 0;
}

static const char *record_of(struct db *db, int64_t person, char to[512]) {
    to[0] = '\0';
    assert_int_equal(consent_each(db, person, on_entry, to), 0);
    return to;
}

static void changes_are_recorded(void **state) {
    struct fixture *f = *state;
    char text[512];
    int64_t person = fixture_member(f->db, LIST, 1, "de", 10);
    struct subscription s;
    static const struct consent joined = {
        .what = "subscribed", .how = "command", .origin = "vera", .basis = "consent", .evidence = "on paper, \"ja\""};
    assert_int_equal(subscription_set(f->db, LIST + 1, person, SUBSCRIPTION_ACTIVE, 50, &joined), 0);
    assert_int_equal(subscription_set(f->db, LIST + 1, person, SUBSCRIPTION_ACTIVE, 51, &joined), -ESTALE);
    assert_int_equal(subscription_set(f->db, LIST + 1, person, SUBSCRIPTION_LEFT, 60, &by_link), 0);
    assert_int_equal(subscription_get(f->db, LIST + 1, person, &s), 1);
    assert_true(s.state == SUBSCRIPTION_LEFT && s.since_usec == 60 && s.list == LIST + 1 && s.subscriber == person);
    assert_int_equal(subscription_get(f->db, LIST + 2, person, &s), 0);
    assert_int_equal(subscription_set(f->db, LIST, 99, SUBSCRIPTION_ACTIVE, 60, &joined), -ENOENT);
    assert_string_equal(record_of(f->db, person, text),
                        "50 8 subscribed command vera consent on paper, \"ja\"; 60 8 left link web  ; ");
    assert_int_equal(
        fixture_int(f->db, "SELECT count(*) FROM consent WHERE request = CAST('0123456789abcdef' AS BLOB)"), 1);
    static const char *const names[] = {"pending", "active", "left", "removed"};
    for (int i = 0; i < 4; i++)
        assert_string_equal(subscription_state_name((enum subscription_state)(i + 1)), names[i]);
}

static void a_leave_is_undone_for_a_while(void **state) {
    struct fixture *f = *state;
    static const struct consent undone = {.what = "undone", .how = "link"},
                                joined = {.what = "subscribed", .how = "command"};
    int64_t person = fixture_member(f->db, LIST, 1, "de", 10);
    struct subscription s;
    assert_int_equal(subscription_set(f->db, LIST + 1, person, SUBSCRIPTION_ACTIVE, 50, &joined), 0);
    assert_int_equal(subscription_undo_leave(f->db, LIST + 1, person, 60, 100, &undone), -ESTALE);
    assert_int_equal(subscription_set(f->db, LIST + 1, person, SUBSCRIPTION_LEFT, 1000, &by_link), 0);
    assert_int_equal(subscription_undo_leave(f->db, LIST + 1, person, 1101, 100, &undone), -ETIME);
    assert_int_equal(subscription_undo_leave(f->db, LIST + 1, person, 1100, 100, &undone), 0);
    assert_int_equal(subscription_get(f->db, LIST + 1, person, &s), 1);
    assert_true(s.state == SUBSCRIPTION_ACTIVE && s.since_usec == 50);
    assert_int_equal(subscription_undo_leave(f->db, LIST + 1, person, 1100, 100, &undone), -ESTALE);
    assert_int_equal(subscription_undo_leave(f->db, LIST + 2, person, 1100, 100, &undone), -ESTALE);
    /* removed by us is not a leave */
    assert_int_equal(subscription_set(f->db, LIST + 1, person, SUBSCRIPTION_REMOVED, 1200, &joined), 0);
    assert_int_equal(subscription_undo_leave(f->db, LIST + 1, person, 1200, 100, &undone), -ESTALE);
}

static void an_import_is_the_first_entry(void **state) {
    struct fixture *f = *state;
    char text[512];
    int64_t a = fixture_member(f->db, LIST, 1, "de", 10), b = fixture_member(f->db, LIST, 2, "de", 10);
    assert_int_equal(
        db_run(f->db,
               "INSERT INTO import (id, list, state, started, ended, by, file, basis, evidence, first_subscriber, "
               "first_consent) VALUES (4, 7, 1, 1, 20, 'vera', 'people.csv', 'membership', 'statutes', 1, 1)",
               NULL, ""),
        0);
    assert_int_equal(db_run(f->db, "UPDATE subscription SET import = 4", NULL, ""), 0);
    struct consent own = {.what = "subscribed", .how = "import", .evidence = "yes, on 1.2.", .import = 4};
    assert_int_equal(consent_add(f->db, b, LIST, 5, &own), 0);
    struct subscription s;
    struct subscription_census census = {0};
    assert_string_equal(record_of(f->db, a, text), "");
    assert_string_equal(record_of(f->db, b, text), "");
    assert_int_equal(subscription_get(f->db, LIST, a, &s), 0);
    assert_int_equal(subscription_census(f->db, LIST, true, &census), STORE_DONE);
    assert_int_equal(census.all, 0);
    assert_int_equal(db_run(f->db, "UPDATE import SET state = 2", NULL, ""), 0);
    assert_int_equal(subscription_get(f->db, LIST, a, &s), 1);
    assert_int_equal(subscription_set(f->db, LIST, a, SUBSCRIPTION_LEFT, 60, &by_link), 0);
    assert_string_equal(record_of(f->db, a, text),
                        "20 7 subscribed import vera, people.csv membership statutes; 60 7 left link web  ; ");
    assert_string_equal(record_of(f->db, b, text), "5 7 subscribed import   yes, on 1.2.; ");
    static const struct consent undone = {.what = "undone", .how = "link"};
    assert_int_equal(subscription_undo_leave(f->db, LIST, a, 61, 100, &undone), 0);
    assert_int_equal(subscription_get(f->db, LIST, a, &s), 1);
    assert_true(s.since_usec == 20);
}

/* Somebody joins by hand what an open import has written already: the import's end, good or bad, changes nothing. */
static void joining_during_an_import(void **state) {
    struct fixture *f = *state;
    int64_t a = fixture_member(f->db, LIST, 1, "de", 10);
    assert_int_equal(
        db_run(f->db,
               "INSERT INTO import (id, list, state, started, by, file, basis, evidence, first_subscriber, "
               "first_consent) VALUES (4, 7, 1, 1, 'vera', 'people.csv', 'membership', 'statutes', 1, 1)",
               NULL, ""),
        0);
    assert_int_equal(db_run(f->db, "UPDATE subscription SET import = 4", NULL, ""), 0);
    static const struct consent joined = {.what = "subscribed", .how = "command"};
    struct subscription s;
    assert_int_equal(subscription_set(f->db, LIST, a, SUBSCRIPTION_ACTIVE, 50, &joined), 0);
    assert_int_equal(subscription_get(f->db, LIST, a, &s), 1);
    assert_true(s.import == 0 && s.since_usec == 50);
}

static int on_subscription(void *user, const struct subscription *s) {
    *(int64_t *)user = *(int64_t *)user * 100 + s->list;
    return 0;
}

static void lists_of_a_person(void **state) {
    struct fixture *f = *state;
    int64_t person = fixture_member(f->db, LIST, 1, "de", 10), seen = 0;
    static const struct consent joined = {.what = "subscribed", .how = "command"};
    assert_int_equal(subscription_set(f->db, 3, person, SUBSCRIPTION_PENDING, 50, &joined), 0);
    assert_int_equal(subscription_set(f->db, UINT32_MAX, person, SUBSCRIPTION_PENDING, 50, &joined), 0);
    assert_int_equal(db_run(f->db, "DELETE FROM subscription WHERE list = 4294967295", NULL, ""), 0);
    assert_int_equal(subscription_each_of(f->db, person, on_subscription, &seen), 0);
    assert_int_equal(seen, 307);
}

static void the_census_counts_in_slices(void **state) {
    struct fixture *f = *state;
    assert_int_equal(db_begin(f->db), 0);
    static const char *const languages[] = {"de", "fr", ""};
    for (int i = 0; i < 2100; i++)
        (void)fixture_member(f->db, LIST, i, languages[i % 3], 1);
    for (int i = 0; i < CENSUS_LANGUAGES_MAX; i++) {
        char code[16];
        (void)snprintf(code, sizeof code, "l%d", i);
        (void)fixture_member(f->db, LIST, 5000 + i, code, 1);
    }
    assert_int_equal(db_run(f->db, "UPDATE subscription SET state = 3 WHERE subscriber % 3 = 1", NULL, ""), 0);
    assert_int_equal(db_commit(f->db), 0);
    struct subscription_census c = {0};
    int slices = 1;
    db_slice_begin(f->db, 0);
    while (subscription_census(f->db, LIST, true, &c) == STORE_MORE)
        slices++;
    assert_int_equal(slices, 3);
    for (int languages_too = 0; languages_too < 2;
         languages_too++) { /* members that nobody is to see are looked at too */
        struct subscription_census hidden = {0};
        assert_int_equal(db_run(f->db,
                                "INSERT OR REPLACE INTO import (id, list, state, started, by, file, basis, "
                                "evidence, first_subscriber, first_consent) VALUES (4, 7, 1, 1, 'a', 'b', 'c', "
                                "'d', 1, 1)",
                                NULL, ""),
                         0);
        assert_int_equal(db_run(f->db, "UPDATE subscription SET import = 4", NULL, ""), 0);
        for (slices = 1; subscription_census(f->db, LIST, languages_too, &hidden) == STORE_MORE;)
            slices++;
        assert_int_equal(slices, 3);
        assert_int_equal(hidden.all, 0);
    }
    assert_int_equal(db_run(f->db, "UPDATE import SET state = 2", NULL, ""), 0);
    assert_int_equal(c.all, 2132);
    assert_int_equal(c.active, 1400 + 21);
    assert_string_equal(c.languages[0].code, "fr");
    assert_int_equal(c.languages[0].count, 700);
    assert_string_equal(c.languages[1].code, "");
    assert_int_equal(c.languages[1].count, 700);
    assert_int_equal(c.language_count, 2 + 21);
    c = (struct subscription_census){0};
    db_slice_begin(f->db, -1);
    assert_int_equal(subscription_census(f->db, LIST, false, &c), STORE_DONE);
    assert_true(c.all == 2132 && c.active == 1421 && c.language_count == 0);
}

static void languages_beyond_the_cap_are_others(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < CENSUS_LANGUAGES_MAX + 2; i++) {
        char code[16];
        (void)snprintf(code, sizeof code, "l%d", i);
        (void)fixture_member(f->db, LIST, i, code, 1);
    }
    struct subscription_census c = {0};
    assert_int_equal(subscription_census(f->db, LIST, true, &c), STORE_DONE);
    assert_int_equal(c.language_count, CENSUS_LANGUAGES_MAX);
    assert_int_equal(c.other, 2);
}

static void a_request_is_remembered(void **state) {
    struct fixture *f = *state;
    uint8_t id[16] = {1, 0, 3};
    assert_int_equal(applied_seen(f->db, id), 0);
    assert_int_equal(applied_keep(f->db, id, 100, "left"), 0);
    assert_int_equal(applied_keep(f->db, id, 100, "left"), -EEXIST);
    assert_int_equal(applied_seen(f->db, id), 1);
    id[15] = 1;
    assert_int_equal(applied_seen(f->db, id), 0);
    assert_int_equal(db_begin(f->db), 0);
    for (int i = 0; i < 1200; i++) {
        id[14] = (uint8_t)i, id[13] = (uint8_t)(i >> 8);
        assert_int_equal(applied_keep(f->db, id, 50, "left"), 0);
    }
    assert_int_equal(db_commit(f->db), 0);
    db_slice_begin(f->db, 0);
    int slices = 1;
    while (applied_purge(f->db, 100) == STORE_MORE)
        slices++;
    assert_int_equal(slices, 3);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM request"), 1);
}

static void pins_hold(void **state) {
    struct fixture *f = *state;
    struct why why = {0};
    assert_int_equal(list_pin(f->db, 5, "twins", "twins.town.example", &why), 0);
    assert_int_equal(list_pin(f->db, 5, "twins", "twins.town.example", &why), 0);
    assert_int_equal(list_pin(f->db, UINT32_MAX, "news", "news.town.example", &why), 0);
    assert_int_equal(list_pin(f->db, 6, "twins", "twins.town.example", &why), -EEXIST);
    assert_string_equal(why.todo, "Write: id = 5");
    assert_string_equal(why.where, "[list twins]");
    assert_int_equal(list_pin(f->db, 5, "other", "other.town.example", &why), -EEXIST);
    assert_non_null(strstr(why.what, "belongs to the list \"twins\""));
    assert_int_equal(list_pin(f->db, 5, "twins", "twins.new.example", &why), -EEXIST);
    assert_non_null(strstr(why.what, "twins.town.example"));
    assert_int_equal(list_pin(f->db, 5, "news", "news.town.example", &why), -EEXIST);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM list_pin"), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(changes_are_recorded),
        FIXTURE_TEST(a_leave_is_undone_for_a_while),
        FIXTURE_TEST(an_import_is_the_first_entry),
        FIXTURE_TEST(joining_during_an_import),
        FIXTURE_TEST(lists_of_a_person),
        FIXTURE_TEST(the_census_counts_in_slices),
        FIXTURE_TEST(languages_beyond_the_cap_are_others),
        FIXTURE_TEST(a_request_is_remembered),
        FIXTURE_TEST(pins_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
