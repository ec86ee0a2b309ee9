#include "store_helper.h"

#include "store/change.h"

#define PERSON(...) ((struct person){__VA_ARGS__})

static void differences(void **state) {
    (void)state;
    AUTOARENA struct arena arena = {0};
    struct person base = PERSON(.language = "de", .form = "", .title = "Dr.", .given_name = "Vera",
                                .family_name = "Müller", .attributes = "city\tBonn\nland\tDE\n");
    static const struct {
        struct person p;
        const char *text; /* of the difference */
    } cases[] = {
        {{0}, ""},
        {{.title = "", .given_name = "Vera", .attributes = ""}, ""},
        {{.language = "fr"}, "language\tfr\n"},
        {{.form = "f", .organisation = "Stadt", .timezone = "Europe/Berlin", .salutation = "Liebe Vera"},
         "form\tf\nsalutation\tLiebe Vera\norganisation\tStadt\ntimezone\tEurope/Berlin\n"},
        {{.attributes = "city\tBonn\nland\tDE\n"}, ""},
        {{.attributes = "land\tDE\n"}, ""},
        {{.attributes = "city\tKöln\nland\tDE\ntags\ta, b\n"}, "attr.city\tKöln\nattr.tags\ta, b\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct person change, again, whole;
        bool any = false;
        AUTOBUF struct buf text = BUF_INIT(CHANGE_MAX_BYTES), second = BUF_INIT(CHANGE_MAX_BYTES);
        assert_int_equal(change_between(&base, &cases[i].p, &arena, &change, &any), 0);
        assert_int_equal(any, cases[i].text[0] != '\0');
        assert_int_equal(change_print(&change, &text), 0);
        assert_string_equal(buf_str(&text), cases[i].text);
        assert_int_equal(change_read(buf_view(&text), &arena, &again), 0);
        assert_int_equal(change_print(&again, &second), 0);
        assert_string_equal(buf_str(&second), cases[i].text);
        assert_int_equal(change_overlay(&base, &again, &arena, &whole), 0);
        assert_int_equal(change_between(&whole, &cases[i].p, &arena, &change, &any), 0);
        assert_false(any);
    }
    struct person whole, change = PERSON(.title = "", .attributes = "city\tKöln\n");
    assert_int_equal(change_overlay(&base, &change, &arena, &whole), 0);
    assert_string_equal(whole.title, "");
    assert_string_equal(whole.given_name, "Vera");
    assert_string_equal(whole.attributes, "city\tKöln\nland\tDE\n");
    assert_int_equal(change_read(VIEW("other\tx\ntitle\ty\n\nnonsense"), &arena, &change), 0);
    assert_string_equal(change.title, "y");
    assert_null(change.form);
}

static void names_of_two_rows(void **state) {
    (void)state;
    static const struct {
        const char *given, *family, *given2, *family2;
        enum change_names names;
    } cases[] = {
        {"Vera", "Müller", "Vera", "Müller", CHANGE_SAME_NAME},
        {"Vera", "Müller", "VERA", "müller", CHANGE_SAME_NAME},
        {"Vera", "Müller", "", "", CHANGE_SAME_NAME},
        {"", "", "Vera", "Müller", CHANGE_SAME_NAME},
        {NULL, NULL, NULL, NULL, CHANGE_SAME_NAME},
        {"Vera", "Müller", "Hans", "Müller", CHANGE_TWO_NAMES},
        {"Vera", "Müller", "Vera", "Schmidt", CHANGE_TWO_NAMES},
        {"Vera & Hans", "Müller", "Hans", "Müller", CHANGE_SAME_NAME},
        {"Vera & Hans", "Müller & Schmidt", "Hans", "Schmidt", CHANGE_SAME_NAME},
        {"Vera & Hans", "Müller & Schmidt", "Hans", "Müller", CHANGE_THIRD_NAME},
        {"Vera & Hans", "Müller", "Ida", "Müller", CHANGE_THIRD_NAME},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct person a = PERSON(.given_name = cases[i].given, .family_name = cases[i].family),
                      b = PERSON(.given_name = cases[i].given2, .family_name = cases[i].family2);
        assert_int_equal(change_compare_names(&a, &b), cases[i].names);
    }
}

static void couples(void **state) {
    (void)state;
    AUTOARENA struct arena arena = {0};
    struct person vera = PERSON(.form = "f", .title = "Dr.", .given_name = "Vera", .family_name = "Müller",
                                .salutation = "Liebe Vera", .organisation = "", .language = "de"),
                  hans = PERSON(.form = "m", .given_name = "Hans", .family_name = "Müller", .organisation = "Stadt"),
                  both;
    assert_int_equal(change_join(&vera, &hans, &arena, &both), 0);
    assert_string_equal(both.form, "f & m");
    assert_string_equal(both.title, "Dr. & ");
    assert_string_equal(both.given_name, "Vera & Hans");
    assert_string_equal(both.family_name, "Müller");
    assert_string_equal(both.salutation, "");
    assert_string_equal(both.organisation, "Stadt");
    assert_string_equal(both.language, "de");
    hans.family_name = "Schmidt";
    vera.title = hans.title = NULL;
    assert_int_equal(change_join(&vera, &hans, &arena, &both), 0);
    assert_string_equal(both.family_name, "Müller & Schmidt");
    assert_string_equal(both.title, "");
    assert_int_equal(change_compare_names(&both, &vera), CHANGE_SAME_NAME);
    assert_int_equal(change_compare_names(&both, &hans), CHANGE_SAME_NAME);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences),
        cmocka_unit_test(names_of_two_rows),
        cmocka_unit_test(couples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
