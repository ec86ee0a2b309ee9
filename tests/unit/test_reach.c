/* Whom a filter reaches: counted in slices, with what nobody has. */
#include "filter_unit.h"
#include "store_helper.h"

#include "store/reach.h"
#include "store/store.h"

enum { LIST = 7 };

static void people_and_languages_are_counted(void **state) {
    struct fixture *f = *state;
    for (int n = 0; n < 10; n++)
        (void)fixture_member(f->db, LIST, n, n % 3 ? "de" : "fr", 1);
    (void)fixture_member(f->db, LIST + 1, 11, "fr", 1);
    assert_int_equal(db_run(f->db, "UPDATE subscription SET state = 3 WHERE subscriber = 1", NULL, ""), 0);
    struct reach r = {.members = 0};
    assert_int_equal(reach_count(f->db, LIST, NULL, &r), STORE_DONE);
    assert_int_equal(r.members, 9);
    assert_int_equal(r.census.active, 9);
    reach_done(&r);
    struct filter *only = filter_of("language = fr");
    assert_int_equal(reach_count(f->db, LIST, only, &r), STORE_DONE);
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
    for (db_slice_begin(f->db, 0); reach_count(f->db, LIST, only, &r) == STORE_MORE; slices++)
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

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(people_and_languages_are_counted),
        FIXTURE_TEST(slices_end_though_nobody_is_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
