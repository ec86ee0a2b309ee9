/* Colours that can be read. Expected contrasts are those of WCAG's own formula. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "mail/colour.h"

static void contrast_is_that_of_wcag(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        double contrast;
    } cases[] = {
        {"#000000", "#ffffff", 21.0}, {"#ffffff", "#FFFFFF", 1.0},  {"#767676", "#ffffff", 4.54},
        {"#ff0000", "#ffffff", 4.0},  {"#0000ff", "#ffffff", 8.59}, {"#1f4e79", "#ffffff", 8.51},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        double c = colour_contrast(cases[i].a, cases[i].b);
        assert_true(c > cases[i].contrast * 0.98 && c < cases[i].contrast * 1.02);
        assert_true(c == colour_contrast(cases[i].b, cases[i].a));
    }
}

static void text_is_readable_on_every_ground(void **state) {
    (void)state;
    static const char *const grounds[] = {"#ffffff", "#f3f5f8", "#20252b", "#000000", "#777777", "#ffcc00", "#1f4e79"};
    for (unsigned rgb = 0; rgb <= 0xffffff; rgb += 0x3fd7) { /* all over the cube */
        char colour[COLOUR_SIZE], text[COLOUR_SIZE];
        (void)snprintf(colour, sizeof colour, "#%06x", rgb);
        assert_true(colour_contrast(colour_ink(colour), colour) >= 4.5);
        for (size_t i = 0; i < COUNT_OF(grounds); i++) {
            colour_readable(colour, grounds[i], text);
            assert_true(colour_is_valid(text));
            assert_true(colour_contrast(text, grounds[i]) >= 4.5);
            if (colour_contrast(colour, grounds[i]) >= 4.6)
                assert_string_equal(text, colour);
        }
    }
}

static void validity(void **state) {
    (void)state;
    static const char *const bad[] = {"", "#", "#fff", "1f4e79", "#1f4e7", "#1f4e790", "#1f4e7g", "red;}", "#1F4E7 "};
    assert_true(colour_is_valid("#1f4E79"));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(colour_is_valid(bad[i]));
    assert_string_equal(colour_ink("#1f4e79"), "#ffffff");
    assert_string_equal(colour_ink("#ffcc00"), "#000000");
    char text[COLOUR_SIZE];
    colour_readable("red;}", "#ffffff", text);
    assert_string_equal(text, "#000000");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contrast_is_that_of_wcag),
        cmocka_unit_test(text_is_readable_on_every_ground),
        cmocka_unit_test(validity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
