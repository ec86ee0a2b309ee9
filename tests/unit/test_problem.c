/* Problems read as sentences in every language, and no sentence that the code uses is missing anywhere. */
#include "unit.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "announce/problem.h"
#include "mail/words.h"

static struct words *load(const char *language) {
    struct words *words = NULL;
    struct why why;
    if (words_load("", "templates", language, &why, &words) < 0)
        fail_msg("%s: %s", why.where, why.what);
    return words;
}

static void expect_printed(const struct problems *p, const char *language, const char *want) {
    struct words *words = load(language);
    AUTOBUF struct buf got = BUF_INIT(100000);
    problems_print(p, words, &got);
    unit_str(language, buf_str(&got), want);
    (void)words_free(words);
}

static void sentences_read_well(void **state) {
    (void)state;
    static struct problems p;
    problems_init(&p);
    problem_add(&p, false, "funding.md", 7, "unknown-key", "strat", NULL, "start");
    problem_add(&p, true, "funding.md", 0, "read-as-windows-1252", NULL, NULL, NULL);
    problem_add(&p, false, "", 0, "no-words", "xx", "no such file", NULL);
    problem_add(&p, true, "funding.fr.md", 12, "salutation-missing", NULL, NULL, NULL);
    problem_add(&p, false, "funding.md", 3, "unclosed-field-section", "event", NULL, NULL);
    problem_add(&p, false, "funding.md", 4, "tag-not-served", "> x", NULL, NULL);
    problem_add_at(&p, false, "funding.md", 3, 17, "filter-operator", "country", NULL, "=");
    expect_printed(
        &p, "de",
        "funding.md, Zeile 7: „strat“ kenne ich nicht. Meinten Sie „start“?\n"
        "funding.md: (Hinweis) Die Datei ist nicht UTF-8; sie wurde als windows-1252 gelesen. Prüfen Sie die "
        "Umlaute.\n"
        "Die Sprache „xx“ ist nicht verwendbar: no such file\n"
        "funding.fr.md, Zeile 12: (Hinweis) Der Text spricht niemanden an: {{salutation}} fehlt.\n"
        "funding.md, Zeile 3: Der Abschnitt event ist nicht geschlossen: Es fehlt {{/event}}.\n"
        "funding.md, Zeile 4: „{{> x}}“ ist eine Art von Marke, die es hier nicht gibt.\n"
        "funding.md, Zeile 3, Spalte 17: Hinter „country“ fehlt eines von = != < <= > >= has, wie in country = FR. "
        "Meinten Sie „=“?\n");
    problems_done(&p);
    problem_add(&p, false, "funding.md", 7, "unknown-key", "strat", NULL, "start");
    problem_add(&p, true, "funding.md", 0, "html-clipped", NULL, NULL, NULL);
    expect_printed(&p, "en",
                   "funding.md, line 7: I do not know “strat”. Did you mean “start”?\n"
                   "funding.md: (note) The text is so long that Gmail shows only its beginning.\n");
    expect_printed(&p, "fr",
                   "funding.md, ligne 7\u00a0: Je ne connais pas «\u00a0strat\u00a0». Vouliez-vous dire "
                   "«\u00a0start\u00a0»\u202f?\n"
                   "funding.md\u00a0: (remarque) Le texte est si long que Gmail n’en affiche que le début.\n");
    assert_int_equal(p.errors, 1);
    problems_done(&p);
}

static void reasons_have_sentences(void **state) {
    (void)state;
    struct words *words = load("de");
    AUTOBUF struct buf got = BUF_INIT(1000);
    struct why why;
    (void)why_set(&why, -EINVAL, "this is not a plain file");
    why_where(&why, "plan.pdf");
    why_todo(&why, "Put it there");
    problem_print_why(&why, words, &got);
    assert_string_equal(buf_str(&got), "plan.pdf: this is not a plain file. Put it there\n");
    why.key = "not-plain-file";
    buf_clear(&got);
    problem_print_why(&why, words, &got);
    assert_string_equal(buf_str(&got),
                        "plan.pdf: Das ist keine gewöhnliche Datei. Legen Sie die Datei selbst hin, keine "
                        "Verknüpfung.\n");
    (void)words_free(words);
}

static void arguments_are_text(void **state) {
    (void)state;
    static struct problems p;
    problems_init(&p);
    problem_add(&p, false, "a\nb.md", 1, "unknown-key", "{2}\x1b[31m\xff", "x", "{1}");
    expect_printed(&p, "en", "a?b.md, line 1: I do not know “{2}?[31m?”. Did you mean “{1}”?\n");
    problems_done(&p);
}

static void many_are_counted_and_cut(void **state) {
    (void)state;
    static struct problems p;
    problems_init(&p);
    for (unsigned i = 1; i <= PROBLEMS_MAX + 5; i++)
        problem_add(&p, false, "a.md", i, "line-too-long", NULL, NULL, NULL);
    problem_add(&p, false, "a.md", 1, "line-too-long", NULL, NULL, NULL);
    assert_int_equal(p.count, PROBLEMS_MAX);
    assert_int_equal(p.errors, PROBLEMS_MAX + 6);
    problems_done(&p);
    assert_int_equal(p.count, 0);
    problem_add(&p, true, "a.md", 1, "line-too-long", NULL, NULL, NULL);
    problem_add(&p, true, "a.md", 1, "line-too-long", "", NULL, NULL);
    problem_add(&p, true, "a.md", 2, "line-too-long", NULL, NULL, NULL);
    problem_add(&p, true, "b.md", 1, "line-too-long", NULL, NULL, NULL);
    problem_add(&p, true, "a.md", 1, "line-too-long", "x", NULL, NULL);
    assert_int_equal(p.count, 4);
    assert_int_equal(p.errors, 0);
    problems_done(&p);
}

/* Keys in the code, found by reading it. A key is a literal of small letters and hyphens among the arguments of a
 * function that takes one, or what fault_key() returns; or it stands with its section, as "problem.x" or "notice.x". */

enum { KEYS_MAX = 400 };
static struct keys {
    char names[KEYS_MAX][64];
    size_t count;
} used;

static bool is_used(const char *key) {
    for (size_t i = 0; i < used.count; i++)
        if (strcmp(used.names[i], key) == 0)
            return true;
    return false;
}

static void use(const char *section, struct view key) {
    char full[64];
    if (snprintf(full, sizeof full, "%s.%.*s", section, (int)key.len, key.ptr) >= (int)sizeof full || is_used(full))
        return;
    assert_true(used.count < KEYS_MAX);
    memcpy(used.names[used.count++], full, sizeof full);
}

static bool looks_like_key(struct view v) {
    for (size_t i = 0; i < v.len; i++)
        if (!islower((unsigned char)v.ptr[i]) && !isdigit((unsigned char)v.ptr[i]) && v.ptr[i] != '-')
            return false;
    return v.len > 2;
}

/* The next literal of *code before end. */
static bool next_literal(struct view *code, struct view *ret) {
    size_t at = view_find(*code, '"');
    if (at == code->len)
        return false;
    *code = view_slice(*code, at + 1, code->len);
    *ret = view_slice(*code, 0, view_find(*code, '"'));
    *code = view_slice(*code, ret->len + 1, code->len);
    return true;
}

static struct view call_at(struct view code) {
    size_t depth = 0, i = 0;
    for (; i < code.len; i++) {
        depth += code.ptr[i] == '(';
        if (code.ptr[i] == ')' && --depth == 0)
            break;
    }
    return view_slice(code, 0, i);
}

static void use_calls(struct view code, const char *function) {
    size_t at;
    struct view literal;
    while ((at = view_search(code, view_of(function))) < code.len) {
        code = view_slice(code, at + strlen(function), code.len);
        if (code.ptr[0] != '(')
            continue;
        struct view call = call_at(code);
        /* One call may choose between two keys; what is in brackets after the first is an argument. */
        while (next_literal(&call, &literal))
            if (looks_like_key(literal)) {
                use("problem", literal);
                break;
            }
    }
}

static void use_set(struct view code) {
    size_t at;
    struct view literal;
    while ((at = view_search(code, VIEW("why->key = \""))) < code.len) {
        code = view_slice(code, at, code.len);
        if (next_literal(&code, &literal))
            use("problem", literal);
    }
}

static void use_returned(struct view code) {
    struct view literal;
    code = view_slice(code, view_search(code, VIEW("*fault_key(")), code.len);
    code = view_slice(code, 0, view_search(code, VIEW("\n}")));
    while (next_literal(&code, &literal))
        use("problem", literal);
}

static void use_with_section(struct view code, const char *section) {
    struct view literal;
    size_t len = strlen(section);
    while (next_literal(&code, &literal))
        if (view_starts(literal, section) && literal.len > len + 1 && literal.ptr[len] == '.' &&
            looks_like_key(view_slice(literal, len + 1, literal.len)) && !view_eq_str(literal, "notice.txt"))
            use(section, view_slice(literal, len + 1, literal.len));
}

static void read_folder(const char *folder) {
    static const char *const functions[] = {"problem_add",       "complain",      "draft_problem",
                                            "checking_complain", "refuse_source", "filter_fail",
                                            "fail_at",           "unknown_value", "intake_filter_problem"};
    char **names;
    size_t count;
    assert_int_equal(files_list(AT_FDCWD, folder, 1000, &names, &count), 0);
    for (size_t i = 0; i < count; i++) {
        AUTOBUF struct buf code = BUF_INIT(1 << 20);
        AUTOFREE char *path = unit_path(folder, names[i]);
        if (!view_ends(view_of(names[i]), ".c"))
            continue;
        assert_int_equal(files_read(AT_FDCWD, path, &code), 0);
        use_set(buf_view(&code));
        bool is_filter = view_starts(view_of(names[i]), "filter");
        if (strcmp(folder, "daemon/mail") == 0 && !is_filter)
            continue;
        if (is_filter || view_search(buf_view(&code), VIEW("problem")) < code.len)
            for (size_t f = 0; f < COUNT_OF(functions); f++)
                use_calls(buf_view(&code), functions[f]);
        use_returned(buf_view(&code));
        use_with_section(buf_view(&code), "problem");
        use_with_section(buf_view(&code), "notice");
    }
    files_free_names(names, count);
}

static void read_code(void) {
    if (used.count)
        return;
    read_folder("daemon/announce");
    read_folder("daemon/app");
    read_folder("daemon/api");
    read_folder("daemon/mail");
}

static void every_key_has_its_sentence(void **state) {
    (void)state;
    char **codes;
    size_t count;
    read_code();
    assert_true(used.count > 80); /* else the reading above is broken */
    assert_true(is_used("problem.section-crossing") && is_used("problem.unknown-key") && is_used("problem.at-line") &&
                is_used("problem.image-missing") && is_used("problem.same-there") && is_used("notice.fact-people"));
    assert_int_equal(words_languages("", "templates", &codes, &count), 0);
    assert_int_equal(count, 8);
    for (size_t l = 0; l < count; l++) {
        AUTOBUF struct buf ini = BUF_INIT(1 << 20);
        AUTOFREE char *path = unit_path("templates", codes[l]);
        AUTOFREE char *file = unit_path(path, "words.ini");
        assert_int_equal(files_read(AT_FDCWD, file, &ini), 0);
        /* The fallback must not help: this language's own file alone. */
        struct words *words;
        struct why why;
        assert_int_equal(words_parse(buf_view(&ini), (struct view){0}, codes[l], &why, &words), 0);
        for (size_t i = 0; i < used.count; i++) {
            AUTOBUF struct buf plural = BUF_INIT(200);
            buf_printf(&plural, "%s.one", used.names[i]);
            if (!words_known(words, used.names[i]) && !words_known(words, buf_str(&plural)))
                fail_msg("templates/%s/words.ini has no %s", codes[l], used.names[i]);
        }
        (void)words_free(words);
    }
    files_free_names(codes, count);
}

static void on_pair(void *user, const char *key, const char *value) {
    AUTOBUF struct buf full = BUF_INIT(200);
    (void)value;
    buf_printf(&full, "problem.%s", key);
    if (!is_used(buf_str(&full)))
        fail_msg("%s of templates/%s/words.ini is used nowhere", buf_str(&full), (const char *)user);
}

static void no_sentence_is_left_over(void **state) {
    (void)state;
    struct words *words = load("en");
    static char en[] = "en";
    read_code();
    words_each(words, "problem", on_pair, en);
    (void)words_free(words);
}

/* Which of {1} {2} {3} stand in a sentence. */
static unsigned arguments_of(const char *sentence) {
    return (unsigned)(strstr(sentence, "{1}") != NULL) | (unsigned)(strstr(sentence, "{2}") != NULL) << 1 |
           (unsigned)(strstr(sentence, "{3}") != NULL) << 2;
}

struct comparison {
    const struct words *other;
    const char *section;
};

static void on_compared(void *user, const char *key, const char *value) {
    const struct comparison *c = user;
    AUTOBUF struct buf full = BUF_INIT(200);
    buf_printf(&full, "%s.%s", c->section, key);
    if (!words_known(c->other, buf_str(&full)))
        return; /* plural forms differ */
    const char *other = words_get(c->other, buf_str(&full));
    if (arguments_of(value) != arguments_of(other))
        fail_msg("%s: \"%s\" (%s) has other arguments than \"%s\"", buf_str(&full), other, words_language(c->other),
                 value);
    if (strstr(value, "\\n") || strstr(other, "  "))
        assert_true(strcmp(c->section, "notice") == 0); /* commands are indented; nothing else has two blanks */
}

static void translations_keep_the_arguments(void **state) {
    (void)state;
    static const char *const codes[] = {"ar", "de", "fr", "he", "it", "pl", "uk"}, *const sections[] = {"problem",
                                                                                                        "notice"};
    struct words *en = load("en");
    for (size_t l = 0; l < COUNT_OF(codes); l++) {
        struct words *other = load(codes[l]);
        for (size_t s = 0; s < COUNT_OF(sections); s++) {
            struct comparison c = {other, sections[s]};
            words_each(en, sections[s], on_compared, &c);
        }
        (void)words_free(other);
    }
    (void)words_free(en);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences_read_well),
        cmocka_unit_test(reasons_have_sentences),
        cmocka_unit_test(arguments_are_text),
        cmocka_unit_test(many_are_counted_and_cut),
        cmocka_unit_test(every_key_has_its_sentence),
        cmocka_unit_test(no_sentence_is_left_over),
        cmocka_unit_test(translations_keep_the_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
