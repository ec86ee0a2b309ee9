/* Look-ups of groups, and the first one of all, while memory ends. */
#include "unit.h"

#include "base/users.h"
#include "failing.h"

static void test_groups(void **state) {
    (void)state;
    gid_t gid = 1;
    assert_int_equal(users_group("root", &gid), 0);
    assert_int_equal(gid, 0);
    assert_int_equal(users_group("no-such-group", &gid), -ENOENT);
    assert_int_equal(users_group("", &gid), -ENOENT);
}

static void test_no_memory(void **state) {
    (void)state;
    gid_t gid = 1;
    left = 0;
    assert_int_equal(users_group("root", &gid), -ENOMEM);
    assert_true(has_failed);
    left = 0;
    assert_int_equal(users_warm_up(), -ENOMEM);
    assert_int_equal(users_warm_up(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
