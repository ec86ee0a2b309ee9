/* Filters as they are read: what is wrong and where, and what of it nobody has. Whom they mean: test_filter_query.c. */
#include "all_words.h"

#include <stdio.h>

#include "mail/filter.h"

static int read_filter(const char *text, struct filter **ret, struct filter_fault *fault) {
    const struct filter_language language = {ALL_WORDS, "", "templates", "Europe/Berlin"};
    return filter_read(view_of(text), &language, ret, fault);
}

static const struct {
    const char *attributes, *tags;
} people[] = {{"besuche\t3\nland\tDeutschland\nort\tCelle\n", "Förderung\nworkshop\n"},
              {"besuche\t10\npays\tFRANCE \n", ""},
              {"besuche\tviele\ncountry\tUA\n", "funding\n"}};

static void faults_say_where(void **state) {
    (void)state;
    static const struct {
        const char *filter, *key;
        unsigned column;
        const char *text, *near;
    } cases[] = {
        {"", "filter-ends", 1, "", ""},
        {"country", "filter-operator", 8, "country", ""},
        {"country == FR", "filter-operator", 9, "country", "="},
        {"country <> FR", "filter-operator", 9, "country", "!="},
        {"country FR", "filter-operator", 9, "country", ""},
        {"country =", "filter-value", 10, "=", ""},
        {"country = and tag has x", "filter-value", 11, "=", ""},
        {"country = FR,", "filter-value", 14, ",", ""},
        {"city = Bad Homburg", "filter-join", 12, "Bad Homburg" + 4, ""},
        {"ä = ü und ö = x", "filter-join", 7, "und", "and"},
        {"a = b && c = d", "filter-join", 7, "&&", "and"},
        {"a = b and", "filter-ends", 10, "", ""},
        {"and a = b", "filter-field", 1, "and", ""},
        {"! a = b", "filter-field", 1, "!", "not"},
        {"a = \"FR", "filter-quote", 5, "", ""},
        {"(a = b", "filter-bracket-open", 1, "", ""},
        {"a = b)", "filter-bracket-close", 6, "", ""},
        {"()", "filter-field", 2, ")", ""},
        {"a < 1, 2", "filter-several", 6, "", ""},
        {"x = 1 or tag = \"funding\"", "filter-tag", 10, "funding", ""},
        {"tag != x", "filter-tag", 1, "x", ""},
        {"joined has 2", "filter-has-date", 1, "joined", ""},
        {"joined > soon", "not-a-date", 10, "soon", ""},
        {"language = Klingon!", "filter-join", 19, "!", "not"},
        {"language = \"Klingon!\"", "filter-language", 12, "Klingon!", ""},
        {"form = Sire", "filter-form", 8, "Sire", ""},
        {"title has ''", "filter-value", 11, "has", ""},
        {"'--' = 1", "filter-field", 1, "--", ""},
        {"a = $", "filter-value", 5, "=", ""},
        {"a = b; DROP TABLE subscriber", "filter-join", 6, ";", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct filter *f;
        struct filter_fault fault;
        unit_int(cases[i].filter, read_filter(cases[i].filter, &f, &fault), -EINVAL);
        unit_str(cases[i].filter, fault.key, cases[i].key);
        unit_int(cases[i].filter, fault.column, cases[i].column);
        unit_str(cases[i].filter, fault.text, cases[i].text);
        unit_str(cases[i].filter, fault.near, cases[i].near);
    }
}

static const char *fault_of(const struct buf *text) {
    static struct filter_fault fault;
    struct filter *f;
    if (read_filter(buf_str(text), &f, &fault) < 0)
        return fault.key;
    (void)filter_free(f);
    return "";
}

static void caps_hold(void **state) {
    (void)state;
    AUTOBUF struct buf text = BUF_INIT(8192);
    for (int i = 0; i < FILTER_DEPTH_MAX; i++)
        buf_puts(&text, i % 2 ? "(" : "not ");
    buf_puts(&text, "a = b");
    for (int i = 0; i < FILTER_DEPTH_MAX / 2; i++)
        buf_putc(&text, ')');
    assert_string_equal(fault_of(&text), "");
    buf_clear(&text);
    for (int i = 0; i <= FILTER_DEPTH_MAX; i++)
        buf_putc(&text, '(');
    assert_string_equal(fault_of(&text), "filter-too-deep");
    buf_clear(&text);
    buf_puts(&text, "a=b");
    while (text.len + 7 <= FILTER_MAX_BYTES)
        buf_puts(&text, "or a<b ");
    assert_string_equal(fault_of(&text), "filter-join"); /* "bor": words end at blanks */
    buf_clear(&text);
    buf_puts(&text, "a=b");
    while (text.len + 8 <= FILTER_MAX_BYTES)
        buf_puts(&text, " or a<bc");
    assert_string_equal(fault_of(&text), "");
    while (text.len < FILTER_MAX_BYTES)
        buf_putc(&text, ' ');
    assert_string_equal(fault_of(&text), "");
    buf_putc(&text, ' ');
    assert_string_equal(fault_of(&text), "filter-too-long");
    buf_clear(&text);
    buf_puts(&text, "country=");
    while (text.len + 3 <= FILTER_MAX_BYTES)
        buf_printf(&text, "%c%c,", (int)('A' + text.len % 26), (int)('A' + text.len / 3 % 26));
    buf_truncate(&text, text.len - 1);
    assert_string_equal(fault_of(&text), "");
}

static void what_nobody_has_is_told(void **state) {
    (void)state;
    struct filter *f;
    struct filter_fault fault;
    struct filter_unseen unseen;
    size_t at = 0;
    assert_int_equal(
        read_filter("contry = FR or tag has fundng, funding or Land = DE or attr.Besuche > 1 or title = x", &f, &fault),
        0);
    assert_true(filter_is_looking(f));
    for (size_t i = 0; i < COUNT_OF(people); i++)
        filter_look(f, view_of(people[i].attributes), view_of(people[i].tags));
    assert_true(filter_next_unseen(f, &at, &unseen));
    assert_string_equal(unseen.name, "contry");
    assert_false(unseen.is_tag);
    assert_int_equal(unseen.column, 1);
    assert_string_equal(unseen.near, "country");
    assert_true(filter_next_unseen(f, &at, &unseen));
    assert_string_equal(unseen.name, "fundng");
    assert_true(unseen.is_tag);
    assert_int_equal(unseen.column, 24);
    assert_false(filter_next_unseen(f, &at, &unseen));
    (void)filter_free(f);
}

static void damage_is_not_thawed(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "filter 2\ntest title =\nvalue a\n",
        "filter 1\n",
        "filter 1\nand\n",
        "filter 1\nnot\n",
        "filter 1\ntest title =\n",
        "filter 1\ntest attribute =\nvalue a\n",
        "filter 1\ntest title ==\nvalue a\n",
        "filter 1\ntest subscriber =\nvalue a\n",
        "filter 1\ntest title =\nvalue a\ntest title =\nvalue b\n",
        "filter 1\ntest title =\nvalue a\nor\n",
        "filter 1\ntest joined =\nvalue a\n",
        "filter 1\ntest joined =\nrange 1\n",
        "filter 1\nvalue a\n",
        "filter 1\ntest title =\nvalue \xff\n",
    };
    struct filter *f = NULL;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        unit_int(texts[i], filter_thaw(view_of(texts[i]), &f), -EINVAL);
    AUTOBUF struct buf many = BUF_INIT(1 << 20);
    buf_puts(&many, "filter 1\ntest title =\nvalue a\n");
    for (int i = 1; i < FILTER_NODES_MAX; i++)
        buf_puts(&many, "not\n");
    assert_int_equal(filter_thaw(buf_view(&many), &f), 0);
    (void)filter_free(f);
    buf_puts(&many, "not\n");
    assert_int_equal(filter_thaw(buf_view(&many), &f), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_say_where),
        cmocka_unit_test(caps_hold),
        cmocka_unit_test(what_nobody_has_is_told),
        cmocka_unit_test(damage_is_not_thawed),
    };
    return cmocka_run_group_tests(tests, load_all_words, free_all_words);
}
