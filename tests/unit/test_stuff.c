#include "send/stuff.h"

#include "unit.h"

static void repeat(struct buf *b, char c, size_t n) {
    while (n--)
        buf_putc(b, c);
}

static const struct {
    const char *message, *stuffed; /* NULL: refused */
} cases[] = {
    {"a\r\n", "a\r\n.\r\n"},
    {"\r\n", "\r\n.\r\n"},
    {".\r\n", "..\r\n.\r\n"},
    {"..\r\n", "...\r\n.\r\n"},
    {".a\r\nb\r\n.c\r\n", "..a\r\nb\r\n..c\r\n.\r\n"},
    {"a.b\r\n", "a.b\r\n.\r\n"},
    {"a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"},
    {"", NULL},
    {"a", NULL},
    {"a\r", NULL},
    {"a\n", NULL},
    {"\n", NULL},
    {"\r", NULL},
    {"a\r\nb", NULL},
    {"a\r\nb\n", NULL},
    {"a\n.\n", NULL},
    {"a\r\n.\n", NULL},
    {"a\n.\r\n", NULL},
    {"a\r.\r\n", NULL},
    {"a\r\r\n", NULL},
    {"a\n\r\n", NULL},
    {"a\r\n\nb\r\n", NULL},
};

static void test_cases(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTOBUF struct buf b = BUF_INIT(1000);
        int r = stuff(view_of(cases[i].message), &b);
        unit_int(cases[i].message, r, cases[i].stuffed ? 0 : -EBADMSG);
        if (cases[i].stuffed)
            unit_str(cases[i].message, buf_str(&b), cases[i].stuffed);
        unit_int(cases[i].message, stuff_is_clean(view_of(cases[i].message)), cases[i].stuffed != NULL);
    }
}

static void test_line_length(void **state) {
    (void)state;
    for (size_t n = STUFF_LINE_MAX_BYTES - 1; n <= STUFF_LINE_MAX_BYTES + 1; n++) {
        AUTOBUF struct buf line = BUF_INIT(4000), out = BUF_INIT(4000);
        buf_puts(&line, "first\r\n");
        repeat(&line, 'x', n);
        buf_puts(&line, "\r\nlast\r\n");
        assert_int_equal(stuff_is_clean(buf_view(&line)), n <= STUFF_LINE_MAX_BYTES);
        assert_int_equal(stuff(buf_view(&line), &out), n <= STUFF_LINE_MAX_BYTES ? 0 : -EBADMSG);
    }
}

static void test_the_cap(void **state) {
    (void)state;
    AUTOBUF struct buf small = BUF_INIT(10);
    assert_int_equal(stuff(VIEW("0123456789\r\n"), &small), -EMSGSIZE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_line_length),
        cmocka_unit_test(test_the_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
