/* Whom a filter reaches: counted in slices, with what nobody has. */
#include "filter_unit.h"
#include "store_helper.h"

#include "store/reach.h"
#include "store/store.h"

enum { LIST = 7 };
static const uint32_t list = LIST;

static void people_and_languages_are_counted(void **state) {
    struct fixture *f = *state;
    for (int n = 0; n < 10; n++)
        (void)fixture_member(f->db, LIST, n, n % 3 ? "de" : "fr", 1);
    (void)fixture_member(f->db, LIST + 1, 11, "fr", 1);
    assert_int_equal(db_run(f->db, "UPDATE subscription SET state = 3 WHERE subscriber = 1", NULL, ""), 0);
    struct reach r = {.members = 0};
    assert_int_equal(reach_count(f->db, &list, 1, NULL, &r), STORE_DONE);
    assert_int_equal(r.members, 9);
    assert_int_equal(r.census.active, 9);
    reach_done(&r);
    struct filter *only = filter_of("language = fr");
    assert_int_equal(reach_count(f->db, &list, 1, only, &r), STORE_DONE);
    assert_int_equal(r.members, 9);
    assert_int_equal(r.census.active, 3);
    assert_int_equal(r.census.language_count, 1);
    assert_string_equal(r.census.languages[0].code, "fr");
    assert_int_equal(r.census.languages[0].count, 3);
    assert_int_equal(r.field_count + r.tag_count, 0); /* nothing was looked for */
    (void)filter_free(only);
    reach_done(&r);
}

static void slices_end_though_nobody_is_reached(void **state) {
    struct fixture *f = *state;
    assert_int_equal(db_begin(f->db), 0);
    for (int n = 0; n < 1000; n++)
        (void)fixture_member(f->db, LIST, n, "de", 1);
    assert_int_equal(db_run(f->db,
                            "UPDATE subscriber SET attributes = 'a' || id || char(9) || 'x' || char(10) || 'city' || "
                            "char(9) || 'x' || char(10)",
                            NULL, ""),
                     0);
    assert_int_equal(db_commit(f->db), 0);
    struct filter *only = filter_of("ctiy = y or tag has z");
    struct reach r = {.members = 0};
    int slices = 1;
    for (db_slice_begin(f->db, 0); reach_count(f->db, &list, 1, only, &r) == STORE_MORE; slices++)
        db_slice_begin(f->db, 0);
    assert_in_range(slices, 1000, 1001);
    assert_int_equal(r.members, 1000);
    assert_int_equal(r.census.active, 0);
    assert_int_equal(r.field_count, REACH_NAMES_MAX); /* and no more are kept */
    assert_string_equal(r.fields[1], "city");
    assert_true(filter_is_looking(only));
    (void)filter_free(only);
    reach_done(&r);
}

static int join(struct db *db, uint32_t to, int64_t subscriber, int state) {
    return db_run(db, "INSERT INTO subscription (list, subscriber, state, since, tags) VALUES (?, ?, ?, 1, 'there')",
                  NULL, "iid", (int64_t)to, subscriber, state);
}

/* Everybody once, in whatever order the lists have them; tags count on the list that they are of. */
static void several_lists_count_people_once(void **state) {
    struct fixture *f = *state;
    const uint32_t lists[] = {LIST, LIST + 1, LIST + 2};
    struct reach r = {.members = 0};
    assert_int_equal(db_begin(f->db), 0);
    for (int n = 1; n <= 1500; n++) { /* more than pages hold */
        int64_t id = fixture_member(f->db, LIST + (uint32_t)(n % 2), n, n % 3 ? "de" : "fr", 1);
        if (n % 5 == 0)
            assert_int_equal(join(f->db, LIST + 2, id, 2), 0);
        else if (n % 7 == 0)
            assert_int_equal(join(f->db, LIST + 2, id, 3), 0); /* left this one only */
    }
    assert_int_equal(db_run(f->db, "UPDATE subscription SET state = 3 WHERE list = ? AND subscriber % 10 = 0", NULL,
                            "i", (int64_t)LIST),
                     0); /* all those are still on the third */
    assert_int_equal(db_commit(f->db), 0);
    for (int sliced = 0; sliced <= 1; sliced++) {
        int e = STORE_MORE, slices = 0;
        for (; e == STORE_MORE; slices++) {
            db_slice_begin(f->db, sliced ? 0 : -1);
            e = reach_count(f->db, lists, COUNT_OF(lists), NULL, &r);
        }
        assert_int_equal(e, STORE_DONE);
        unit_int("slices", slices > 1000, sliced);
        assert_int_equal(r.members, 1500);
        assert_int_equal(r.census.active, 1500);
        assert_int_equal(r.several, 150); /* odd multiples of five */
        assert_int_equal(r.census.languages[0].count + r.census.languages[1].count, 1500);
        reach_done(&r);
    }
    db_slice_begin(f->db, -1);
    struct filter *only = filter_of("tag has there");
    assert_int_equal(reach_count(f->db, lists, COUNT_OF(lists), only, &r), STORE_DONE);
    assert_int_equal(r.members, 1500);
    assert_int_equal(r.census.active, 300);
    assert_int_equal(r.several, 0);
    reach_done(&r);
    (void)filter_free(only);
    uint32_t many[REACH_LISTS_MAX + 1] = {0};
    assert_int_equal(reach_count(f->db, many, REACH_LISTS_MAX, NULL, &r), STORE_DONE);
    assert_int_equal(r.members, 0);
    assert_int_equal(reach_count(f->db, many, REACH_LISTS_MAX + 1, NULL, &r), -E2BIG);
    reach_done(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(people_and_languages_are_counted),
        FIXTURE_TEST(slices_end_though_nobody_is_reached),
        FIXTURE_TEST(several_lists_count_people_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
