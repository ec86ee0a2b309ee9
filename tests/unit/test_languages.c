/* What every shipped language promises: all keys of English, all plural forms, the same fields and numbers in each
 * text, names that mean one thing in all languages, and typography. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/files.h"
#include "base/text.h"
#include "mail/countries.h"
#include "mail/names.h"
#include "mail/words.h"

static const char *const sections[] = {"language",       "salutation", "mail",    "page",           "notice",
                                       "problem",        "dates",      "months",  "months-short",   "weekdays",
                                       "weekdays-short", "forms",      "columns", "language-names", "answers",
                                       "attributes",     "leave"};
static const char *const plural_forms[] = {"zero", "one", "two", "few", "many", "other"};

static struct words *all[32];
static size_t count;
static const struct words *english;

static struct words *own_words(const char *code) {
    AUTOBUF struct buf path = BUF_INIT(256), text = BUF_INIT(1 << 20);
    buf_printf(&path, "templates/%s/words.ini", code);
    assert_int_equal(files_read(AT_FDCWD, buf_str(&path), &text), 0);
    struct why why;
    struct words *w;
    if (words_parse(buf_view(&text), view_of(""), code, &why, &w) != 0)
        fail_msg("%s %s: %s", code, why.where, why.what);
    return w;
}

static int load_all(void **state) {
    (void)state;
    char **codes;
    size_t found;
    assert_int_equal(words_languages("", "templates", &codes, &found), 0);
    assert_in_range(found, 6, COUNT_OF(all));
    for (; count < found; count++) {
        all[count] = own_words(codes[count]);
        if (view_eq_str(view_of(codes[count]), "en"))
            english = all[count];
    }
    files_free_names(codes, found);
    assert_non_null(english);
    return 0;
}

static int free_all(void **state) {
    (void)state;
    while (count)
        words_free(all[--count]);
    return 0;
}

/* Walks one section of `from` beside another language. */
struct walk {
    const struct words *other;
    const char *section;
    unsigned faults;
};

static void complain(struct walk *w, const char *key, const char *what) {
    print_error("%s [%s] %s: %s\n", words_language(w->other), w->section, key, what);
    w->faults++;
}

static void each_beside(const struct words *from, const struct words *other, words_on_pair *on_pair) {
    struct walk w = {.other = other};
    for (size_t i = 0; i < COUNT_OF(sections); i++) {
        w.section = sections[i];
        words_each(from, sections[i], on_pair, &w);
    }
    assert_int_equal(w.faults, 0);
}

static bool has(const struct words *w, const char *section, const char *key, size_t len, const char *form) {
    AUTOBUF struct buf full = BUF_INIT(512);
    buf_printf(&full, "%s.%.*s%s%s", section, (int)len, key, form ? "." : "", form ? form : "");
    return words_known(w, buf_str(&full));
}

/* Where the key ends in ".one" and the like, its length before that; else 0. */
static size_t plural_stem(const char *key) {
    const char *dot = strrchr(key, '.');
    for (size_t i = 0; dot && i < COUNT_OF(plural_forms); i++)
        if (view_eq_str(view_of(dot + 1), plural_forms[i]))
            return (size_t)(dot - key);
    return 0;
}

static void on_key_wanted(void *user, const char *key, const char *value) {
    (void)value;
    struct walk *w = user;
    size_t stem = plural_stem(key);
    if (view_eq_str(view_of(w->section), "dates") && view_starts(view_of(key), "day-"))
        return; /* only where a day is not plainly its number */
    if (!stem) {
        if (!has(w->other, w->section, key, strlen(key), NULL))
            complain(w, key, "is missing");
        return;
    }
    for (uint64_t n = 0; n < 200; n++)
        if (!has(w->other, w->section, key, stem, words_plural_form(w->other, n))) {
            complain(w, key, words_plural_form(w->other, n));
            return;
        }
}

static void on_key_known(void *user, const char *key, const char *value) {
    (void)value;
    struct walk *w = user;
    size_t stem = plural_stem(key);
    bool extra = view_eq_str(view_of(w->section), "dates") && view_starts(view_of(key), "day-");
    bool fallback = view_eq_str(view_of(w->section), "language");
    if (!extra && !fallback && !has(english, w->section, key, stem ? stem : strlen(key), stem ? "other" : NULL))
        complain(w, key, "is not in English");
}

static void keys_are_the_same(void **state) {
    (void)state;
    for (size_t i = 0; i < count; i++) {
        each_beside(english, all[i], on_key_wanted);
        each_beside(all[i], all[i], on_key_known);
    }
}

/* Appends all {…} of a text, sorted, each once. */
static void collect_fields(const char *text, struct buf *to) {
    static const char *const known[] = {"{1}", "{2}", "{3}", "{{email}}", "{{list.title}}", "{{salutation}}"};
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strstr(text, known[i]))
            buf_puts(to, known[i]);
}

static void on_text(void *user, const char *key, const char *value) {
    struct walk *w = user;
    static const char *const with_fields[] = {"mail", "page", "notice", "problem"};
    bool watched = false;
    for (size_t i = 0; i < COUNT_OF(with_fields); i++)
        watched = watched || view_eq_str(view_of(w->section), with_fields[i]);
    AUTOBUF struct buf full = BUF_INIT(512), here = BUF_INIT(512), there = BUF_INIT(512);
    buf_printf(&full, "%s.%s", w->section, key);
    if (!watched || !words_known(w->other, buf_str(&full)))
        return;
    collect_fields(value, &here);
    collect_fields(words_get(w->other, buf_str(&full)), &there);
    if (!view_eq(buf_view(&here), buf_view(&there)))
        complain(w, key, "has other fields than in English");
}

static void texts_have_the_same_fields(void **state) {
    (void)state;
    for (size_t i = 0; i < count; i++)
        each_beside(english, all[i], on_text);
}

/* A column, a form or a language means the same whichever language's table knows it. */
static void on_names(void *user, const char *key, const char *value) {
    struct walk *w = user;
    if (!view_eq_str(view_of(w->section), "forms") && !view_eq_str(view_of(w->section), "columns") &&
        !view_eq_str(view_of(w->section), "language-names") && !view_eq_str(view_of(w->section), "answers") &&
        !view_eq_str(view_of(w->section), "attributes"))
        return;
    for (struct view rest = view_of(value), name; view_split(&rest, ';', &name);)
        for (size_t i = 0; i < count; i++) {
            const char *meaning = words_find(all[i], w->section, name);
            if (meaning && !view_eq_str(view_of(meaning), key)) {
                print_error("“%.*s” is %s in %s: ", (int)name.len, name.ptr, meaning, words_language(all[i]));
                complain(w, key, "contradicts");
            }
        }
}

static void names_mean_one_thing(void **state) {
    (void)state;
    for (size_t i = 0; i < count; i++)
        each_beside(all[i], all[i], on_names);
}

static void on_typography(void *user, const char *key, const char *value) {
    struct walk *w = user;
    static const char *const names[] = {"forms", "columns", "attributes", "language-names", "answers"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (view_eq_str(view_of(w->section), names[i]))
            return;
    if (strchr(value, '\'') || strchr(value, '"'))
        complain(w, key, "has a straight quote");
    if (strstr(value, "..."))
        complain(w, key, "has three dots for an ellipsis");
    if (strstr(value, " - "))
        complain(w, key, "has a hyphen for a dash");
    if (!view_eq_str(view_of(words_language(w->other)), "fr"))
        return;
    for (const char *c = value; *c; c++)
        if (strchr(":;?!", c[0]) && c != value && c[-1] == ' ')
            complain(w, key, "has a plain blank before a mark");
    if (strstr(value, "« ") || strstr(value, " »"))
        complain(w, key, "has a plain blank inside guillemets");
}

static void typography(void **state) {
    (void)state;
    for (size_t i = 0; i < count; i++)
        each_beside(all[i], all[i], on_typography);
}

static void people_are_found_by_common_spellings(void **state) {
    (void)state;
    static const struct {
        const char *language, *section, *written, *meaning;
    } cases[] = {
        {"de", "columns", "E-Mail", "email"},
        {"de", "columns", "Vorname", "given_name"},
        {"de", "columns", "Nachname", "family_name"},
        {"de", "columns", "Titel", "title"},
        {"de", "columns", "Anrede", "form"},
        {"de", "columns", "Briefanrede", "salutation"},
        {"de", "columns", "Organisation", "organisation"},
        {"de", "columns", "Sprache", "language"},
        {"fr", "columns", "PRÉNOM", "given_name"},
        {"fr", "forms", "Mme", "f"},
        {"fr", "forms", "M.", "m"},
        {"pl", "forms", "Pan", "m"},
        {"pl", "columns", "Imię", "given_name"},
        {"uk", "forms", "ПАНІ", "f"},
        {"uk", "columns", "Ім'я", "given_name"},
        {"it", "columns", "Cognome", "family_name"},
        {"it", "forms", "Sig.ra", "f"},
        {"de", "forms", "Familie", "family"},
        {"en", "language-names", "UA", "uk"},
        {"en", "language-names", "DE", "de"},
        {"de", "language-names", "deutsch", "de"},
        {"fr", "language-names", "Ukrainien", "uk"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t k = 0; k < count; k++)
            if (view_eq_str(view_of(words_language(all[k])), cases[i].language)) {
                const char *found = words_find(all[k], cases[i].section, view_of(cases[i].written));
                assert_non_null(found);
                assert_string_equal(found, cases[i].meaning);
            }
}

/* Countries: every shipped language names the same ones, and no name means two. */
static void countries_are_the_same(void **state) {
    (void)state;
    struct countries c = {0};
    assert_int_equal(countries_load(&c, "", "templates"), 0);
    for (size_t i = 0; i < c.count; i++) {
        const char *found = countries_code(&c, view_of(c.names[i].folded));
        if (strcmp(found, c.names[i].code) != 0)
            fail_msg("“%s” is %s and %s", c.names[i].folded, found, c.names[i].code);
    }
    for (size_t i = 0; i < count; i++) {
        AUTOBUF struct buf path = BUF_INIT(256), text = BUF_INIT(1 << 20);
        buf_printf(&path, "templates/%s/countries.ini", words_language(all[i]));
        assert_int_equal(files_read(AT_FDCWD, buf_str(&path), &text), 0);
        size_t lines = 0;
        struct view rest = buf_view(&text), line;
        while (view_line(&rest, &line))
            lines += line.len > 5 && line.ptr[2] == ' ' && line.ptr[3] == '=' && line.ptr[4] == ' ';
        assert_int_equal(lines, 250);
    }
    assert_string_equal(countries_code(&c, VIEW(" frankreich ")), "FR");
    assert_string_equal(countries_code(&c, VIEW("УКРАЇНА")), "UA");
    assert_string_equal(countries_code(&c, VIEW("RWA")), "RW");
    assert_null(countries_code(&c, VIEW("Atlantis")));
    assert_null(countries_code(&c, VIEW("\xff")));
    countries_done(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_the_same),
        cmocka_unit_test(texts_have_the_same_fields),
        cmocka_unit_test(names_mean_one_thing),
        cmocka_unit_test(typography),
        cmocka_unit_test(people_are_found_by_common_spellings),
        cmocka_unit_test(countries_are_the_same),
    };
    return cmocka_run_group_tests(tests, load_all, free_all);
}
