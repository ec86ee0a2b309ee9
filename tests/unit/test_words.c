/* Words of a language: layers, lookups, formats, names, and what the shipped languages promise. */
#include "unit.h"

#include "mail/words.h"

static const char *const shipped[] = {"de", "en", "fr", "it", "pl", "uk"};

static struct words *parse(const char *text, const char *fallback) {
    struct why why;
    struct words *w;
    if (words_parse(view_of(text), view_of(fallback), "xx", &why, &w) != 0)
        fail_msg("%s: %s", why.where, why.what);
    return w;
}

static void get_finds_own_then_fallback_then_key(void **state) {
    (void)state;
    struct words *w =
        parse("[mail]\nwhen = Wann\n[language]\nname = X\n", "[language]\nname=F\ndir=rtl\n[mail]\nwhen = When\n"
                                                             "where = Where\n");
    assert_string_equal(words_get(w, "mail.when"), "Wann");
    assert_string_equal(words_get(w, "mail.where"), "Where");
    assert_string_equal(words_get(w, "mail.who"), "mail.who");
    assert_true(words_known(w, "mail.where"));
    assert_false(words_known(w, "mail.who"));
    assert_string_equal(words_get(w, "language.name"), "X");
    assert_string_equal(words_dir(w), "ltr"); /* [language] is never inherited */
    assert_string_equal(words_language(w), "xx");
    words_free(w);
}

static void values_hold_line_breaks(void **state) {
    (void)state;
    struct words *w = parse("[notice]\ntext = a\\n\\nb\\\\n \\x = :;#\\\nends = \\s\\sx: \\s\n", "");
    assert_string_equal(words_get(w, "notice.text"), "a\n\nb\\n \\x = :;#\\");
    assert_string_equal(words_get(w, "notice.ends"), "  x:  ");
    AUTOBUF struct buf printed = BUF_INIT(1000);
    words_print(w, &printed);
    struct words *again = parse(buf_str(&printed), "");
    assert_string_equal(words_get(again, "notice.ends"), "  x:  ");
    words_free(again);
    words_free(w);
}

static void refuses(void **state) {
    (void)state;
    static const struct {
        const char *text, *where, *what;
    } cases[] = {
        {"[a]\nk = 1\n\nk = 2\n", "words.ini:4", "[a] k stands here twice, first in line 2"},
        {"[a]\nno pair\n", "words.ini:2", "neither `key = value` nor [section]"},
        {"[a]\n\fb = 1\n", "words.ini:2", "neither `key = value` nor [section]"},
        {"[a\n", "words.ini:1", "the section's name does not end with ]"},
        {"[a]\n= 1\n", "words.ini:2", "a name is missing"},
        {"[a]\nk = \xff\n", "words.ini:2", "the text is not UTF-8"},
        {"k = 1\n", "words.ini:1", "“k” stands before the first [section]"},
        {"[language]\ndir = up\n", "words.ini:2", "dir is “up”"},
        {"[language]\nplural = slavic\n", "words.ini:2", "no plural rule is named “slavic”"},
        {"[columns]\na = X; y\nb = z;x.\n", "words.ini:3", "[columns] “x” stands under a and under b"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct why why;
        struct words *w;
        assert_int_equal(words_parse(view_of(cases[i].text), view_of(""), "xx", &why, &w), -EINVAL);
        assert_string_equal(why.where, cases[i].where);
        assert_string_equal(why.what, cases[i].what);
    }
    struct why why;
    struct words *w;
    assert_int_equal(words_parse(view_of(""), view_of(""), "../etc", &why, &w), -EINVAL);
}

static void caps_the_number_of_words(void **state) {
    (void)state;
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    buf_puts(&text, "[a]\n");
    for (int i = 0; i < WORDS_PAIRS_MAX; i++)
        buf_printf(&text, "%d = x\n", i);
    struct words *w = parse(buf_str(&text), "");
    assert_string_equal(words_get(w, "a.8191"), "x");
    words_free(w);
    buf_puts(&text, "more = x\n");
    struct why why;
    assert_int_equal(words_parse(buf_view(&text), view_of(""), "xx", &why, &w), -EINVAL);
}

static void format_fills_numbers(void **state) {
    (void)state;
    struct words *w = parse("[p]\na = {2}, {1}{1} {{x}} {4} {\nb = „{3}“\n", "");
    AUTOBUF struct buf to = BUF_INIT(1000);
    words_format(w, "p.a", "{2}", "y", NULL, &to);
    assert_string_equal(buf_str(&to), "y, {2}{2} {{x}} {4} {");
    buf_clear(&to);
    words_format(w, "p.b", "", NULL, NULL, &to);
    assert_string_equal(buf_str(&to), "„“");
    buf_clear(&to);
    words_format(w, "p.nowhere", "a", NULL, NULL, &to);
    assert_string_equal(buf_str(&to), "p.nowhere");
    words_free(w);
}

static void plural_takes_the_form_or_other(void **state) {
    (void)state;
    struct words *w =
        parse("[language]\nplural = slavic-pl\n[p]\nx.one = {1} osoba\nx.few = {1} osoby\nx.other = {1} osób\n", "");
    static const struct {
        uint64_t n;
        const char *text;
    } cases[] = {{1, "1 osoba"}, {3, "3 osoby"}, {5, "5 osób"}, {UINT64_MAX, "18446744073709551615 osób"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf to = BUF_INIT(1000);
        words_plural(w, "p.x", cases[i].n, &to);
        assert_string_equal(buf_str(&to), cases[i].text);
    }
    AUTOBUF struct buf to = BUF_INIT(1000);
    words_plural(w, "p.y", 2, &to);
    assert_string_equal(buf_str(&to), "p.y");
    words_free(w);
}

static void on_pair(void *user, const char *key, const char *value) {
    buf_printf(user, "%s=%s;", key, value);
}

static void each_walks_in_order(void **state) {
    (void)state;
    struct words *w = parse("[p]\nz = 1\na = 2\n[q]\nx = 0\n[p]\nm = 3\n", "[p]\na = no\nb = 4\n");
    AUTOBUF struct buf to = BUF_INIT(1000);
    words_each(w, "p", on_pair, &to);
    assert_string_equal(buf_str(&to), "z=1;a=2;m=3;b=4;");
    words_free(w);
}

static void find_prefers_the_own_language(void **state) {
    (void)state;
    struct words *w =
        parse("[columns]\nfamily_name = Nom\n[forms]\nf = Mme\n", "[columns]\nname = Name; Nom\n[forms]\nm = Mr\n");
    assert_string_equal(words_find(w, "columns", view_of(" NOM ")), "family_name");
    assert_string_equal(words_find(w, "columns", view_of("name")), "name");
    assert_string_equal(words_find(w, "forms", view_of("mme.")), "f");
    assert_null(words_find(w, "forms", view_of("name")));
    assert_null(words_find(w, "mail", view_of("name")));
    words_free(w);
}

/* A folder is known by its code, though no table of names has it. */
static void languages_are_found_by_code_and_by_name(void **state) {
    (void)state;
    struct why why;
    struct words *de = NULL, *fa = NULL, *br = NULL;
    assert_int_equal(words_parse(view_of("[language]\nname = Deutsch\n[language-names]\nde = Deutsch; ger\npt = pt; "
                                         "pt-BR; Portugiesisch\nfr = Französisch\n"),
                                 view_of(""), "de", &why, &de),
                     0);
    assert_int_equal(words_parse(view_of("[language]\nname = فارسی\n"), view_of(""), "fa", &why, &fa), 0);
    assert_int_equal(words_parse(view_of(""), view_of(""), "pt-BR", &why, &br), 0);
    const struct words *const all[] = {de, fa, br};
    static const char *const cases[][2] = {{"Deutsch", "de"}, {"GER", "de"},      {"fa", "fa"}, {"FA", "fa"},
                                           {"فارسی", "fa"},   {"pt-br", "pt-BR"}, {"pt", "pt"}, {"französisch", "fr"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(words_find_language(all, 3, view_of(cases[i][0])), cases[i][1]);
    assert_null(words_find_language(all, 3, view_of("Klingonisch")));
    assert_null(words_find_language(all, 3, view_of("")));
    assert_null(words_find_language(all, 2, view_of("br")));
    words_free(de);
    words_free(fa);
    words_free(br);
}

static void print_gives_the_same_words(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(shipped); i++) {
        struct why why;
        struct words *w, *again;
        assert_int_equal(words_load("", "templates", shipped[i], &why, &w), 0);
        AUTOBUF struct buf once = BUF_INIT(1 << 20), twice = BUF_INIT(1 << 20);
        words_print(w, &once);
        assert_int_equal(words_parse(buf_view(&once), view_of(""), shipped[i], &why, &again), 0);
        words_print(again, &twice);
        assert_string_equal(buf_str(&once), buf_str(&twice));
        assert_string_equal(words_get(w, "months.1"), words_get(again, "months.1"));
        assert_string_equal(words_plural_form(w, 22), words_plural_form(again, 22));
        words_free(w);
        words_free(again);
    }
}

/* Folders. */

static void put(const char *root, const char *language, const char *text) {
    AUTOBUF struct buf path = BUF_INIT(4096);
    buf_printf(&path, "%s/%s", root, language);
    assert_int_equal(files_make_dirs(buf_str(&path), 0700), 0);
    buf_puts(&path, "/words.ini");
    assert_int_equal(files_write_new(AT_FDCWD, buf_str(&path), view_of(text), 0600), 0);
}

static int load(const char *local, const char *dir, const char *language, struct why *why, struct words **ret) {
    AUTOBUF struct buf a = BUF_INIT(4096), b = BUF_INIT(4096);
    buf_printf(&a, "%s/%s", local, "local");
    buf_printf(&b, "%s/%s", dir, "shipped");
    return words_load(local[0] ? buf_str(&a) : "", buf_str(&b), language, why, ret);
}

static void local_lies_over_shipped_pair_by_pair(void **state) {
    AUTOBUF struct buf local = BUF_INIT(4096), dir = BUF_INIT(4096);
    buf_printf(&local, "%s/local", (char *)*state);
    buf_printf(&dir, "%s/shipped", (char *)*state);
    put(buf_str(&local), "de", "[mail]\nimprint = Wer wir sind\n");
    put(buf_str(&local), "nl", "[language]\nname = Nederlands\n");
    put(buf_str(&local), "common", "[mail]\n");
    put(buf_str(&dir), "de", "[language]\nplural = other\n[mail]\nimprint = Impressum\nwhen = Wann\n");
    put(buf_str(&dir), "en", "[mail]\nwhen = When\nwhere = Where\n");
    struct why why;
    struct words *w;
    assert_int_equal(load(*state, *state, "de", &why, &w), 0);
    assert_string_equal(words_get(w, "mail.imprint"), "Wer wir sind");
    assert_string_equal(words_get(w, "mail.when"), "Wann");
    assert_string_equal(words_get(w, "mail.where"), "Where");
    assert_string_equal(words_plural_form(w, 1), "other");
    words_free(w);
    assert_int_equal(load("", *state, "de", &why, &w), 0);
    assert_string_equal(words_get(w, "mail.imprint"), "Impressum");
    words_free(w);
    assert_int_equal(load(*state, *state, "nl", &why, &w), 0);
    assert_string_equal(words_get(w, "mail.when"), "When");
    words_free(w);
    assert_int_equal(load("", *state, "nl", &why, &w), -ENOENT);

    char **codes;
    size_t count;
    assert_int_equal(words_languages(buf_str(&local), buf_str(&dir), &codes, &count), 0);
    assert_int_equal(count, 3);
    assert_string_equal(codes[0], "de");
    assert_string_equal(codes[1], "en");
    assert_string_equal(codes[2], "nl");
    files_free_names(codes, count);
}

static void fallbacks_form_a_chain(void **state) {
    AUTOBUF struct buf dir = BUF_INIT(4096);
    buf_printf(&dir, "%s/shipped", (char *)*state);
    put(buf_str(&dir), "aa", "[language]\nfallback = bb\n");
    put(buf_str(&dir), "bb", "[language]\nfallback = cc\n[x]\nb = bb\n");
    put(buf_str(&dir), "cc", "[language]\nfallback = dd\n[x]\nb = cc\nc = cc\n");
    put(buf_str(&dir), "dd", "[language]\nfallback = ee\n[x]\nd = dd\n");
    put(buf_str(&dir), "ee", "[language]\nfallback = dd\n[x]\ne = ee\n");
    put(buf_str(&dir), "ff", "[language]\nfallback = gg\n");
    put(buf_str(&dir), "hh", "[x]\nh = hh\n");
    struct why why;
    struct words *w;
    assert_int_equal(load("", *state, "bb", &why, &w), 0);
    assert_string_equal(words_get(w, "x.b"), "bb");
    assert_string_equal(words_get(w, "x.c"), "cc");
    assert_string_equal(words_get(w, "x.e"), "ee");
    words_free(w);
    assert_int_equal(load("", *state, "aa", &why, &w), -EINVAL); /* five */
    assert_int_equal(load("", *state, "ff", &why, &w), -EINVAL); /* gg is nowhere */
    assert_int_equal(load("", *state, "hh", &why, &w), 0);       /* en was not asked for by name */
    words_free(w);
}

static void codes(void **state) {
    (void)state;
    static const char *const good[] = {"de", "uk", "gsw", "pt-BR", "zh-Hant-TW"};
    static const char *const bad[] = {"",      "d",     "De", "common",       "de-", "-de",
                                      "de_AT", "de/..", "..", "de-123456789", "d3"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(words_is_code(view_of(good[i])));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(words_is_code(view_of(bad[i])));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_finds_own_then_fallback_then_key),
        cmocka_unit_test(values_hold_line_breaks),
        cmocka_unit_test(refuses),
        cmocka_unit_test(caps_the_number_of_words),
        cmocka_unit_test(format_fills_numbers),
        cmocka_unit_test(plural_takes_the_form_or_other),
        cmocka_unit_test(each_walks_in_order),
        cmocka_unit_test(find_prefers_the_own_language),
        cmocka_unit_test(languages_are_found_by_code_and_by_name),
        cmocka_unit_test(print_gives_the_same_words),
        cmocka_unit_test_setup_teardown(local_lies_over_shipped_pair_by_pair, unit_folder, unit_folder_gone),
        cmocka_unit_test_setup_teardown(fallbacks_form_a_chain, unit_folder, unit_folder_gone),
        cmocka_unit_test(codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
