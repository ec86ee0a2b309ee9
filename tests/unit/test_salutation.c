/* How people are addressed, in the shipped languages and by every rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "mail/salutation.h"
#include "mail/words.h"

static const char *const codes[] = {"de", "en", "fr", "it", "pl", "uk"};
static struct words *all[COUNT_OF(codes)];

static int load_all(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        struct why why;
        assert_int_equal(words_load("", "templates", codes[i], &why, &all[i]), 0);
    }
    return 0;
}

static int free_all(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        words_free(all[i]);
    return 0;
}

struct given {
    const char *form, *title, *given, *family;
};

static struct contact contact_of(const struct given *g) {
    return (struct contact){.form = view_of(g->form),
                            .title = view_of(g->title),
                            .given_name = view_of(g->given),
                            .family_name = view_of(g->family)};
}

static void expect(const struct words *w, bool formal, const struct contact *c, const char *said) {
    AUTOBUF struct buf to = BUF_INIT(4096);
    salutation_say(w, formal, c, &to);
    assert_string_equal(buf_str(&to), said);
}

static const struct given frau = {"f", "Dr.", "Vera", "Müller"}, herr = {"m", "", "Hans", "Schmidt"},
                          open = {"", "", "Vera", "Müller"}, nobody = {"", "", "", ""},
                          couple = {"two", "", "", "Müller"}, family = {"family", "", "", "Müller"};

static void every_language_formally(void **state) {
    (void)state;
    static const struct {
        const struct given *who;
        const char *said[COUNT_OF(codes)];
    } cases[] = {
        {&frau,
         {"Sehr geehrte Frau Dr. Müller", "Dear Dr. Müller", "Madame", "Gentile Dr. Müller", "Szanowna Pani",
          "Шановна пані"}},
        {&herr,
         {"Sehr geehrter Herr Schmidt", "Dear Mr Schmidt", "Monsieur", "Gentile Signor Schmidt", "Szanowny Panie",
          "Шановний пане"}},
        {&open,
         {"Guten Tag Vera Müller", "Dear Vera Müller", "Bonjour Vera Müller", "Gentile Vera Müller",
          "Szanowna Pani, Szanowny Panie", "Добрий день"}},
        {&nobody,
         {"Sehr geehrte Damen und Herren", "Dear Sir or Madam", "Madame, Monsieur", "Gentili Signore e Signori",
          "Szanowni Państwo", "Шановні пані та панове"}},
        {&couple,
         {"Sehr geehrte Frau Müller, sehr geehrter Herr Müller", "Dear Mr and Mrs Müller", "Madame, Monsieur",
          "Gentili Signori Müller", "Szanowni Państwo", "Шановна пані, шановний пане"}},
        {&family,
         {"Sehr geehrte Familie Müller", "Dear Müller family", "Madame, Monsieur", "Gentile famiglia Müller",
          "Szanowni Państwo", "Шановна родино"}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t k = 0; k < COUNT_OF(codes); k++) {
            struct contact c = contact_of(cases[i].who);
            expect(all[k], true, &c, cases[i].said[k]);
        }
}

static void every_language_informally(void **state) {
    (void)state;
    static const struct {
        const struct given *who;
        const char *said[COUNT_OF(codes)];
    } cases[] = {
        {&frau, {"Liebe Vera", "Dear Vera", "Chère Vera", "Cara Vera", "Cześć", "Вітаємо"}},
        {&herr, {"Lieber Hans", "Dear Hans", "Cher Hans", "Caro Hans", "Cześć", "Вітаємо"}},
        {&open, {"Hallo Vera", "Dear Vera", "Bonjour Vera", "Ciao Vera", "Cześć", "Вітаємо"}},
        {&nobody, {"Hallo", "Hello", "Bonjour", "Buongiorno", "Dzień dobry", "Вітаємо"}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t k = 0; k < COUNT_OF(codes); k++) {
            struct contact c = contact_of(cases[i].who);
            expect(all[k], false, &c, cases[i].said[k]);
        }
}

/* German, where every rule shows. */
static void what_is_not_known_is_left_out(void **state) {
    (void)state;
    static const struct {
        struct given who;
        const char *formal, *informal;
    } cases[] = {
        {{"f", "", "", "Müller"}, "Sehr geehrte Frau Müller", "Hallo"},
        {{"f", "", "Vera", ""}, "Sehr geehrte Damen und Herren", "Liebe Vera"},
        {{"", "Dr.", "Vera", "Müller"}, "Guten Tag Dr. Vera Müller", "Hallo Vera"},
        {{"", "Dr.", "", "Müller"}, "Sehr geehrte Damen und Herren", "Hallo"},
        {{"", "", "", "Müller"}, "Sehr geehrte Damen und Herren", "Hallo"},
        {{"", "", "Vera", ""}, "Sehr geehrte Damen und Herren", "Hallo Vera"},
        {{"f", "", "", ""}, "Sehr geehrte Damen und Herren", "Hallo"},
        {{"klingon", "", "Vera", "Müller"}, "Guten Tag Vera Müller", "Hallo Vera"},
        {{"two", "Dr.", "Vera", "Müller"}, "Sehr geehrte Frau Müller, sehr geehrter Herr Müller", "Hallo Vera"},
        {{"m", "", "{title}", "{family_name}"}, "Sehr geehrter Herr {family_name}", "Lieber {title}"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct contact c = contact_of(&cases[i].who);
        c.organisation = VIEW("Verein");
        expect(all[0], true, &c, cases[i].formal);
        expect(all[0], false, &c, cases[i].informal);
    }
}

static void own_salutation_stands_first(void **state) {
    (void)state;
    static const struct {
        const char *own, *said;
    } cases[] = {
        {"Liebe Vera", "Liebe Vera"},
        {" Liebe Vera, ", "Liebe Vera"},
        {"Liebe Vera!", "Liebe Vera"},
        {"Sehr geehrter Herr Prof.", "Sehr geehrter Herr Prof."},
        {" , ", "Sehr geehrte Frau Dr. Müller"},
        {"", "Sehr geehrte Frau Dr. Müller"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct contact c = contact_of(&frau);
        c.own_salutation = view_of(cases[i].own);
        expect(all[0], true, &c, cases[i].said);
    }
}

static void two_people_are_both_addressed(void **state) {
    (void)state;
    static const struct {
        size_t language;
        struct given who;
        const char *formal, *informal, *name;
    } cases[] = {
        {0,
         {"f & m", "Dr. & ", "Vera & Hans", "Müller & Schmidt"},
         "Sehr geehrte Frau Dr. Müller, sehr geehrter Herr Schmidt",
         "Liebe Vera, lieber Hans",
         "Vera Müller und Hans Schmidt"},
        {0,
         {"m & f", " & Dr.", "Hans & Vera", "Schmidt & Müller"},
         "Sehr geehrter Herr Schmidt, sehr geehrte Frau Dr. Müller",
         "Lieber Hans, liebe Vera",
         "Hans Schmidt und Vera Müller"},
        {0,
         {"f & f", "", "Vera & Anna", "Müller"},
         "Guten Tag Vera und Anna Müller",
         "Liebe Vera, liebe Anna",
         "Vera und Anna Müller"},
        {0,
         {"two", "", "Vera & Hans", "Müller"},
         "Sehr geehrte Frau Müller, sehr geehrter Herr Müller",
         "Hallo Vera und Hans",
         "Vera und Hans Müller"},
        {0,
         {"", "", "Vera & Hans", "Müller & Schmidt"},
         "Guten Tag Vera Müller und Hans Schmidt",
         "Hallo Vera und Hans",
         "Vera Müller und Hans Schmidt"},
        {0,
         {"f & ", "", "Vera & Alex", "Müller & Schmidt"},
         "Guten Tag Vera Müller und Alex Schmidt",
         "Hallo Vera und Alex",
         "Vera Müller und Alex Schmidt"},
        {0, {"", "", "", "Müller & Schmidt"}, "Guten Tag Müller und Schmidt", "Hallo", "Müller und Schmidt"},
        {2,
         {"f & f", "", "Vera & Anna", "Müller & Schmidt"},
         "Bonjour Vera Müller et Anna Schmidt",
         "Chère Vera, chère Anna",
         "Vera Müller et Anna Schmidt"},
        {2,
         {"f & m", "", "Vera & Hans", "Müller & Schmidt"},
         "Madame, Monsieur",
         "Chère Vera, cher Hans",
         "Vera Müller et Hans Schmidt"},
        {4,
         {"f & m", "", "Vera & Hans", "Müller & Schmidt"},
         "Szanowna Pani, Szanowny Panie",
         "Cześć",
         "Vera Müller i Hans Schmidt"},
        {5, {"m & m", "", "Олег & Іван", "Коваль"}, "Добрий день", "Вітаємо", "Олег та Іван Коваль"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct contact c = contact_of(&cases[i].who);
        expect(all[cases[i].language], true, &c, cases[i].formal);
        expect(all[cases[i].language], false, &c, cases[i].informal);
        AUTOBUF struct buf name = BUF_INIT(4096);
        salutation_name(all[cases[i].language], &c, &name);
        assert_string_equal(buf_str(&name), cases[i].name);
    }
}

static void forms_are_known_in_all_languages(void **state) {
    (void)state;
    static const struct {
        const char *written, *form;
    } cases[] = {
        {"Frau", "f"},
        {" frau ", "f"},
        {"Mme", "f"},
        {"Sig.ra", "f"},
        {"Pani", "f"},
        {"пані", "f"},
        {"w", "f"},
        {"Herr", "m"},
        {"M.", "m"},
        {"Mr.", "m"},
        {"Sig.", "m"},
        {"Pan", "m"},
        {"пан", "m"},
        {"m", "m"},
        {"Herr und Frau", "two"},
        {"Państwo", "two"},
        {"Familie", "family"},
        {"", ""},
        {"  ", ""},
        {"divers", ""},
        {"Mx", ""},
        {"Firma", ""},
        {"Brigadier", NULL},
        {"Dr.", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *form = salutation_form((const struct words *const *)all, COUNT_OF(all), view_of(cases[i].written));
        if (!cases[i].form)
            assert_null(form);
        else {
            assert_non_null(form);
            assert_string_equal(form, cases[i].form);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_language_formally),       cmocka_unit_test(every_language_informally),
        cmocka_unit_test(what_is_not_known_is_left_out), cmocka_unit_test(own_salutation_stands_first),
        cmocka_unit_test(two_people_are_both_addressed), cmocka_unit_test(forms_are_known_in_all_languages),
    };
    return cmocka_run_group_tests(tests, load_all, free_all);
}
