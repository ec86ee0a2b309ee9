/* Windows' names of time zones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "mail/when.h"
#include "mail/windows_zones.h"

struct seen {
    unsigned count;
    const char *last;
};

static void on_row(void *user, const char *windows, const char *zone) {
    struct seen *seen = user;
    if (!when_zone_exists(zone))
        fail_msg("%s stands for %s, which is no zone", windows, zone);
    if (seen->last && strcmp(seen->last, windows) >= 0)
        fail_msg("%s is not sorted in", windows);
    assert_string_equal(windows_zones_find(view_of(windows)), zone);
    seen->last = windows;
    seen->count++;
}

static void every_row_is_a_zone(void **state) {
    (void)state;
    struct seen seen = {0};
    windows_zones_each(on_row, &seen);
    assert_in_range(seen.count, 130, 200);
}

static void finds(void **state) {
    (void)state;
    static const struct {
        const char *windows, *zone;
    } cases[] = {
        {"W. Europe Standard Time", "Europe/Berlin"},
        {"Romance Standard Time", "Europe/Paris"},
        {"Central Europe Standard Time", "Europe/Budapest"},
        {"Central European Standard Time", "Europe/Warsaw"},
        {"FLE Standard Time", "Europe/Kyiv"},
        {"GMT Standard Time", "Europe/London"},
        {"GTB Standard Time", "Europe/Bucharest"},
        {"Turkey Standard Time", "Europe/Istanbul"},
        {"India Standard Time", "Asia/Kolkata"},
        {"UTC", "Etc/UTC"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(windows_zones_find(view_of(cases[i].windows)), cases[i].zone);
    static const char *const unknown[] = {"", "Europe/Berlin", "W. Europe Standard Tim", "W. Europe Standard Time ",
                                          "zz"};
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        assert_null(windows_zones_find(view_of(unknown[i])));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_a_zone),
        cmocka_unit_test(finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
