#include "unit.h"

#include "base/ini.h"

static const char *const fault_names[] = {
    [INI_OK] = "",
    [INI_NOT_A_PAIR] = "not-a-pair",
    [INI_UNCLOSED_SECTION] = "unclosed",
    [INI_EMPTY_NAME] = "empty-name",
    [INI_LINE_TOO_LONG] = "too-long",
    [INI_NOT_UTF8] = "not-utf8",
};

/* One line for each item: LINE [SECTION] KEY=VALUE, or LINE [SECTION], or with !FAULT. */
static int print_item(void *user, const struct ini_item *item) {
    struct buf *to = user;
    buf_printf(to, "%u [%.20s%s]", item->line, item->section, strlen(item->section) > 20 ? "…" : "");
    if (item->fault)
        buf_printf(to, " !%s %s", fault_names[item->fault], item->value);
    else if (item->key)
        buf_printf(to, " %s=%.40s", item->key, item->value);
    buf_putc(to, '\n');
    return 0;
}

static void forms(void **state) {
    (void)state;
    static const struct {
        const char *name;
        struct view text;
        const char *items;
    } cases[] = {
        {"empty", VIEW(""), ""},
        {"nothing", {0}, ""},
        {"no pair, no section", VIEW("\n \n; a\n# b\n\t; c\n"), ""},
        {"plain", VIEW("[a]\nk = v\n"), "1 [a]\n2 [a] k=v\n"},
        {"no last line end", VIEW("[a]\nk=v"), "1 [a]\n2 [a] k=v\n"},
        {"CRLF", VIEW("[a]\r\nk = v\r\n\r\nl=w\r\n"), "1 [a]\n2 [a] k=v\n4 [a] l=w\n"},
        {"BOM", VIEW("\xEF\xBB\xBF[a]\nk=v\n"), "1 [a]\n2 [a] k=v\n"},
        {"BOM before a pair", VIEW("\xEF\xBB\xBFk=v\n"), "1 [] k=v\n"},
        {"before any section", VIEW("k=v\n"), "1 [] k=v\n"},
        {"colon", VIEW("k: v=w\n"), "1 [] k=v=w\n"},
        {"no inline comments", VIEW("p = a;b #c ; d\n"), "1 [] p=a;b #c ; d\n"},
        {"value begins like a comment", VIEW("p = ;x\nq = #y\n"), "1 [] p=;x\n2 [] q=#y\n"},
        {"quotes stay", VIEW("p = \"a b\"\n"), "1 [] p=\"a b\"\n"},
        {"empty value", VIEW("k =\nl=  \n"), "1 [] k=\n2 [] l=\n"},
        {"no continued lines", VIEW("a = 1\n  b = 2\n"), "1 [] a=1\n2 [] b=2\n"},
        {"blanks in names", VIEW("[ relay  main ]\na b = c\n"), "1 [relay  main]\n2 [relay  main] a b=c\n"},
        {"comment behind a head", VIEW("[a] ; x\n[b]# y\n"), "1 [a]\n2 [b]\n"},
        {"same again", VIEW("[a]\nk=1\nk=2\n[a]\nk=3\n"), "1 [a]\n2 [a] k=1\n3 [a] k=2\n4 [a]\n5 [a] k=3\n"},
        {"no pair", VIEW("[a]\nnonsense\nk=v\n"), "1 [a]\n2 [a] !not-a-pair nonsense\n3 [a] k=v\n"},
        {"empty key", VIEW("= v\n: w\n"), "1 [] !empty-name = v\n2 [] !empty-name : w\n"},
        {"empty section", VIEW("[]\nk=v\n[ ]\n"), "1 [] !empty-name \n2 [] k=v\n3 [] !empty-name \n"},
        {"unclosed", VIEW("[a\nk=v\n[b]c\nl=w\n"), "1 [a] !unclosed \n2 [a] k=v\n3 [b] !unclosed \n4 [b] l=w\n"},
        {"not UTF-8", VIEW("k=M\xFCller\nl=w\n"), "1 [] !not-utf8 \n2 [] l=w\n"},
        {"NUL", VIEW("k=a\0b\nl=w\n"), "1 [] !not-utf8 \n2 [] l=w\n"},
        {"odd blanks", VIEW("\f[x]=1\n\v;k=v\nk\f=v\n"),
         "1 [] !not-a-pair \f[x]=1\n2 [] !not-a-pair \v;k=v\n3 [] !not-a-pair k\f=v\n"},
        {"blanks around a key", VIEW(" \t k \t = v\n"), "1 [] k=v\n"},
        {"a second BOM", VIEW("\xEF\xBB\xBF\xEF\xBB\xBF=v\n"), "1 [] !not-a-pair \xEF\xBB\xBF=v\n"},
        {"umlauts", VIEW("grüße = schön\n"), "1 [] grüße=schön\n"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf items = BUF_INIT(4096);
        unit_int(cases[i].name, ini_read(cases[i].text, print_item, &items), 0);
        unit_str(cases[i].name, buf_str(&items), cases[i].items);
    }
}

struct seen {
    size_t count, key_len, value_len, section_len;
    enum ini_fault fault;
    char value_first, value_last;
};

static int keep_lengths(void *user, const struct ini_item *item) {
    struct seen *seen = user;
    seen->count++;
    seen->fault = item->fault;
    seen->section_len = strlen(item->section);
    seen->key_len = item->key ? strlen(item->key) : 0;
    seen->value_len = strlen(item->value);
    if (seen->value_len) {
        seen->value_first = item->value[0];
        seen->value_last = item->value[seen->value_len - 1];
    }
    return 0;
}

static void lines_of_any_length_up_to_the_cap(void **state) {
    (void)state;
    static const size_t lengths[] = {10,          48,  49,  50,  60,   190,   196,
                                     197,         198, 199, 200, 201,  202,   398,
                                     399,         400, 401, 402, 1000, 50000, INI_LINE_MAX - 1,
                                     INI_LINE_MAX};
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        AUTOBUF struct buf text = BUF_INIT(1 << 20);
        struct seen seen = {0};
        buf_puts(&text, "k = ");
        while (text.len < lengths[i])
            buf_putc(&text, text.len == 4 ? 'f' : text.len + 1 == lengths[i] ? 'l' : 'x');
        assert_int_equal(ini_read(buf_view(&text), keep_lengths, &seen), 0);
        assert_int_equal(seen.count, 1);
        assert_int_equal(seen.fault, INI_OK);
        assert_int_equal(seen.value_len, lengths[i] - 4);
        assert_true(seen.value_first == 'f' && seen.value_last == 'l');

        buf_clear(&text);
        buf_putc(&text, '[');
        while (text.len < lengths[i] - 1)
            buf_putc(&text, 's');
        buf_putc(&text, ']');
        assert_int_equal(ini_read(buf_view(&text), keep_lengths, &seen), 0);
        assert_int_equal(seen.section_len, lengths[i] - 2);
    }
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    struct seen seen = {0};
    buf_puts(&text, "k = ");
    while (text.len < INI_LINE_MAX + 1)
        buf_putc(&text, 'x');
    assert_int_equal(ini_read(buf_view(&text), keep_lengths, &seen), 0);
    assert_int_equal(seen.fault, INI_LINE_TOO_LONG);
}

static void files_up_to_the_cap(void **state) {
    (void)state;
    AUTOBUF struct buf text = BUF_INIT(INI_FILE_MAX + 1);
    while (text.len < INI_FILE_MAX)
        buf_puts(&text, "k=0123456789abc\n");
    struct seen seen = {0};
    assert_int_equal(ini_read(buf_view(&text), keep_lengths, &seen), 0);
    assert_int_equal(seen.count, INI_FILE_MAX / 16);
    buf_putc(&text, '\n');
    assert_int_equal(ini_read(buf_view(&text), keep_lengths, &seen), -EMSGSIZE);
}

static int stop_at_third(void *user, const struct ini_item *item) {
    (void)item;
    return ++*(int *)user == 3 ? 77 : 0;
}

static void the_caller_can_end_it(void **state) {
    (void)state;
    int count = 0;
    assert_int_equal(ini_read(VIEW("[a]\nk=v\n!\nl=w\n[b]\n"), stop_at_third, &count), 77);
    assert_int_equal(count, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(lines_of_any_length_up_to_the_cap),
        cmocka_unit_test(files_up_to_the_cap),
        cmocka_unit_test(the_caller_can_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
