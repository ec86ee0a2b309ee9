#include "door/fresh.h"

#include <sys/time.h>

#include "base/clock.h"
#include "base/number.h"

#include "unit.h"

/* A second later, by the record of the last reading. */
static bool later_changed(struct fresh *f, const char *path) {
    f->read_mono_usec -= USEC_PER_SEC;
    return fresh_changed(f, path);
}

static void a_change_is_told_once_when_it_has_settled(void **state) {
    AUTOFREE char *path = unit_path(*state, "file");
    struct fresh f = {0};
    assert_true(fresh_changed(&f, path)); /* the first time, though it does not exist */
    assert_false(later_changed(&f, path));
    assert_int_equal(files_write_new(AT_FDCWD, path, VIEW("a"), 0600), 0);
    assert_true(fresh_changed(&f, path)); /* at once */
    assert_false(fresh_changed(&f, path));
    assert_true(later_changed(&f, path));  /* so young that a second write could bear the same time */
    assert_false(fresh_changed(&f, path)); /* read again once a second, not for everybody who asks */
    clock_start_at(clock_now_usec() + USEC_PER_HOUR);
    assert_true(later_changed(&f, path)); /* what the young one may have missed */
    assert_false(later_changed(&f, path));
    assert_int_equal(files_write_durable(AT_FDCWD, path, VIEW("b"), 0600), 0);
    assert_true(fresh_changed(&f, path));
    assert_false(later_changed(&f, path));
    assert_int_equal(unlink(path), 0);
    assert_true(fresh_changed(&f, path));
    assert_false(later_changed(&f, path));
}

static void a_folder_changes_with_its_entries(void **state) {
    struct fresh f = {0};
    clock_start_at(clock_now_usec() + USEC_PER_HOUR);
    assert_true(fresh_changed(&f, *state));
    assert_false(later_changed(&f, *state));
    AUTOFREE char *path = unit_path(*state, "file");
    assert_int_equal(files_write_new(AT_FDCWD, path, VIEW("a"), 0600), 0);
    assert_true(fresh_changed(&f, *state));
    assert_false(later_changed(&f, *state));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_change_is_told_once_when_it_has_settled, unit_folder, unit_folder_gone),
        cmocka_unit_test_setup_teardown(a_folder_changes_with_its_entries, unit_folder, unit_folder_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
