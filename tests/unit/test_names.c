/* Names as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "mail/names.h"

static void spelling_does_not_count(void **state) {
    (void)state;
    AUTOARENA struct arena a;
    arena_init(&a);
    struct names n = {0};
    const struct name *x, *y;
    assert_int_equal(names_add(&n, &a, "columns", "email", "E-Mail-Adresse;; Mail ;", 0, 1), 0);
    assert_int_equal(names_add(&n, &a, "columns", "given_name", "Prénom; Ім'я", 0, 2), 0);
    assert_int_equal(names_add(&n, &a, "columns", "street", "Straße", 0, 3), 0);
    assert_int_equal(names_seal(&n, &x, &y), 0);
    static const struct {
        const char *written, *meaning;
    } cases[] = {
        {"E-Mail-Adresse", "email"},
        {"email adresse", "email"},
        {" EMAIL_ADRESSE: ", "email"},
        {"e\u2011mail\u00a0adresse", "email"},
        {"mail", "email"},
        {"PRE\u0301NOM", "given_name"}, /* decomposed */
        {"Ім’я", "given_name"},
        {"імʼя", "given_name"},
        {"STRASSE", "street"},
        {"prenom", NULL},
        {"", NULL},
        {" - ", NULL},
        {"email\xff", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *found = names_find(&n, "columns", view_of(cases[i].written));
        if (!cases[i].meaning)
            assert_null(found);
        else
            assert_string_equal(found, cases[i].meaning);
    }
    assert_null(names_find(&n, "forms", view_of("mail")));
}

static void length_is_capped(void **state) {
    (void)state;
    AUTOARENA struct arena a;
    arena_init(&a);
    struct names n = {0};
    const struct name *x, *y;
    char list[NAMES_MAX_BYTES + 1];
    memset(list, 'a', sizeof list);
    list[NAMES_MAX_BYTES] = '\0';
    assert_int_equal(names_add(&n, &a, "s", "k", list, 0, 1), 0);
    assert_int_equal(names_seal(&n, &x, &y), 0);
    assert_string_equal(names_find(&n, "s", view_of(list)), "k");
    list[NAMES_MAX_BYTES] = ' ';
    assert_null(names_find(&n, "s", view_make(list, sizeof list)));
}

static void layers_and_contradictions(void **state) {
    (void)state;
    AUTOARENA struct arena a;
    arena_init(&a);
    struct names n = {0};
    const struct name *x, *y;
    assert_int_equal(names_add(&n, &a, "s", "lower", "Name", 1, 5), 0);
    assert_int_equal(names_add(&n, &a, "s", "upper", "name; NAME", 0, 7), 0);
    assert_int_equal(names_seal(&n, &x, &y), 0);
    assert_string_equal(names_find(&n, "s", view_of("name")), "upper");
    assert_int_equal(names_add(&n, &a, "s", "other", "na-me", 0, 9), 0);
    assert_int_equal(names_seal(&n, &x, &y), -EEXIST);
    assert_int_equal(x->line, 7);
    assert_int_equal(y->line, 9);
}

static void none_at_all(void **state) {
    (void)state;
    struct names n = {0};
    const struct name *x, *y;
    assert_int_equal(names_seal(&n, &x, &y), 0);
    assert_null(names_find(&n, "s", view_of("name")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spelling_does_not_count),
        cmocka_unit_test(length_is_capped),
        cmocka_unit_test(layers_and_contradictions),
        cmocka_unit_test(none_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
