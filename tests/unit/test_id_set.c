#include "unit.h"

#include "base/id_set.h"

static void it_has_what_was_added_and_nothing_else(void **state) {
    (void)state;
    static const int64_t steps[] = {1, 2, 63, 64, 65, 2047, 2048, 2049, INT64_C(1) << 21, INT64_C(1) << 40};
    for (size_t n = 0; n < sizeof steps / sizeof *steps; n++) {
        struct id_set *s = id_set_new();
        int64_t step = steps[n], count = 2000;
        assert_non_null(s);
        for (int64_t i = count; i >= 1; i--) {
            assert_int_equal(id_set_add(s, i * step), 0);
            assert_int_equal(id_set_add(s, i * step), 0);
        }
        for (int64_t i = 1; i <= count; i++) {
            assert_true(id_set_has(s, i * step));
            if (step > 1) {
                assert_false(id_set_has(s, i * step - 1));
                assert_false(id_set_has(s, i * step + 1));
            }
        }
        assert_false(id_set_has(s, (count + 1) * step));
        s = id_set_free(s);
    }
}

static void the_empty_one(void **state) {
    (void)state;
    struct id_set *s = id_set_new();
    assert_false(id_set_has(s, 1));
    assert_false(id_set_has(s, INT64_MAX));
    assert_int_equal(id_set_add(s, INT64_MAX), 0);
    assert_true(id_set_has(s, INT64_MAX));
    assert_null(id_set_free(s));
    assert_null(id_set_free(NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_has_what_was_added_and_nothing_else),
        cmocka_unit_test(the_empty_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
