#include "door/accept.h"

#include "unit.h"

static const char *const codes[] = {"de", "en", "fr", "pt-BR", "uk"};

static void the_preferred_language_is_found(void **state) {
    (void)state;
    static const struct {
        const char *header, *code; /* NULL: none */
    } cases[] = {
        {"de", "de"},
        {"DE", "de"},
        {"de-AT", "de"},
        {"de-AT, en", "de"},
        {"pt-br", "pt-BR"},
        {"pt", "pt-BR"},
        {"pt-PT", NULL},
        {"d", NULL},
        {"deu", NULL},
        {"es, fr;q=0.5, de;q=0.7", "de"},
        {"fr;q=0.5,de;q=0.5", "fr"},
        {"fr ; q=0.8 , de ; q=0.9", "de"},
        {"fr;q=0.123,de;q=0.124", "de"},
        {"de;q=1.0,en;q=1", "de"},
        {"de;q=0", NULL},
        {"de;q=0.000, uk;q=0.001", "uk"},
        {"de;q=1.5, en;q=0.1", "en"},
        {"de;q=0.1234, en;q=0.1", "en"},
        {"de;q=, en;q=0.1", "en"},
        {"de;q=x, en;q=0.1", "en"},
        {"de;x=1, en;q=0.1", "en"},
        {"*", NULL},
        {"*;q=0.5, de;q=0.1", "de"},
        {"", NULL},
        {",,,;;;,de", "de"},
        {"-de", NULL},
        {"de-", "de"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int best = accept_best(cases[i].header, codes, COUNT_OF(codes));
        unit_str(cases[i].header, best < 0 ? NULL : codes[best], cases[i].code);
    }
    assert_int_equal(accept_best(NULL, codes, COUNT_OF(codes)), -1);
    assert_int_equal(accept_best("de", codes, 0), -1);
}

static void the_number_of_ranges_is_capped(void **state) {
    (void)state;
    for (int over = 0; over <= 1; over++) {
        AUTOBUF struct buf header = BUF_INIT(10000);
        for (int i = 1; i < ACCEPT_RANGES_MAX + over; i++)
            buf_puts(&header, "xx,");
        buf_puts(&header, "de");
        assert_int_equal(accept_best(buf_str(&header), codes, COUNT_OF(codes)), over ? -1 : 0);
    }
}

static void a_name_is_exact_but_for_case(void **state) {
    (void)state;
    assert_int_equal(accept_named(VIEW("PT-br"), codes, COUNT_OF(codes)), 3);
    assert_int_equal(accept_named(VIEW("pt"), codes, COUNT_OF(codes)), -1);
    assert_int_equal(accept_named(VIEW(""), codes, COUNT_OF(codes)), -1);
    assert_int_equal(accept_named((struct view){0}, codes, COUNT_OF(codes)), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_preferred_language_is_found),
        cmocka_unit_test(the_number_of_ranges_is_capped),
        cmocka_unit_test(a_name_is_exact_but_for_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
