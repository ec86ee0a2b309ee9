#include "door/quota.h"

#include "base/clock.h"
#include "base/number.h"
#include "unit.h"

static void networks_are_counted(void **state) {
    (void)state;
    static const struct {
        const char *source;
        bool want;
    } cases[] = {
        {"192.0.2.1", true},
        {"192.0.2.255", true},
        {"192.0.2.1", false},
        {"192.0.2.77", false},
        {"192.0.3.1", true},
        {"2001:db8:1::1", true},
        {"2001:db8:1:ffff::2", true},
        {"2001:db8:1:2::3", false},
        {"2001:db8:2::1", true},
        {"", true},
        {"unknown", true},
        {"no address", false}, /* all as one */
    };
    struct quota *q = calloc(1, sizeof *q);
    assert_non_null(q);
    quota_init(q, 2, USEC_PER_HOUR);
    q->seed = 1; /* in which none of them share a place */
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (quota_take(q, cases[i].source) != cases[i].want)
            fail_msg("case %zu: %s", i, cases[i].source);
    q->begun_mono_usec -= USEC_PER_HOUR; /* a new window */
    assert_true(quota_take(q, "192.0.2.1"));
    free(q);
}

static void none_may_be_allowed(void **state) {
    (void)state;
    struct quota *q = calloc(1, sizeof *q);
    assert_non_null(q);
    quota_init(q, 0, USEC_PER_HOUR);
    assert_false(quota_take(q, "192.0.2.1"));
    free(q);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(networks_are_counted), cmocka_unit_test(none_may_be_allowed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
