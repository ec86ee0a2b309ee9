/* Plural rules: numbers around every border of CLDR's rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

#include "base/cleanup.h"
#include "mail/plural.h"

static void forms(void **state) {
    (void)state;
    static const struct {
        const char *rule, *form;
        uint64_t n[14]; /* ends with 0 after the first */
    } cases[] = {
        {"one-other", "one", {1}},
        {"one-other", "other", {0}},
        {"one-other", "other", {2, 11, 21, 101}},
        {"one-other-zero", "one", {0}},
        {"one-other-zero", "one", {1}},
        {"one-other-zero", "other", {2, 11, 101}},
        {"other", "other", {1, 2}},
        {"slavic-pl", "one", {1}},
        {"slavic-pl", "few", {2, 3, 4, 22, 34, 102, 1004}},
        {"slavic-pl", "many", {0}},
        {"slavic-pl", "many", {5, 11, 12, 14, 21, 25, 101, 112, 114}},
        {"slavic-uk", "one", {1, 21, 101, 1001}},
        {"slavic-uk", "few", {2, 4, 22, 104}},
        {"slavic-uk", "many", {0}},
        {"slavic-uk", "many", {5, 10, 11, 12, 14, 19, 20, 111, 112}},
        {"slavic-cs", "one", {1}},
        {"slavic-cs", "few", {2, 3, 4}},
        {"slavic-cs", "other", {5, 22, 101}},
        {"slavic-sl", "one", {1, 101}},
        {"slavic-sl", "two", {2, 102}},
        {"slavic-sl", "few", {3, 4, 104}},
        {"slavic-sl", "other", {5, 21, 100}},
        {"romanian", "one", {1}},
        {"romanian", "few", {0}},
        {"romanian", "few", {2, 19, 101, 119}},
        {"romanian", "other", {20, 100, 120}},
        {"lithuanian", "one", {1, 21, 101}},
        {"lithuanian", "few", {2, 9, 22, 109}},
        {"lithuanian", "other", {10, 11, 19, 20, 111}},
        {"latvian", "zero", {0}},
        {"latvian", "zero", {10, 11, 19, 20, 111}},
        {"latvian", "one", {1, 21, 101}},
        {"latvian", "other", {2, 9, 22}},
        {"hebrew", "one", {1}},
        {"hebrew", "two", {2}},
        {"hebrew", "other", {3, 20, 100}},
        {"arabic", "zero", {0}},
        {"arabic", "one", {1}},
        {"arabic", "two", {2}},
        {"arabic", "few", {3, 10, 103, 110}},
        {"arabic", "many", {11, 99, 111, 199}},
        {"arabic", "other", {100, 101, 102, 200}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum plural rule;
        const char *near;
        assert_int_equal(plural_rule(view_of(cases[i].rule), &rule, &near), 0);
        for (size_t k = 0; k == 0 || cases[i].n[k]; k++)
            assert_string_equal(plural_form(rule, cases[i].n[k]), cases[i].form);
    }
}

static void unknown_rules_get_a_hint(void **state) {
    (void)state;
    enum plural rule;
    const char *near;
    assert_int_equal(plural_rule(view_of("slavik-pl"), &rule, &near), -ENOENT);
    assert_string_equal(near, "slavic-pl");
    assert_int_equal(plural_rule(view_of("klingon!"), &rule, &near), -ENOENT);
    assert_null(near);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(forms), cmocka_unit_test(unknown_rules_get_a_hint)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
