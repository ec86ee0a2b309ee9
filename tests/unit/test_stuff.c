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

/* Wherever it stands. */
static void test_line_length(void **state) {
    (void)state;
    for (size_t before = 0; before < 1500; before += 13)
        for (size_t n = STUFF_LINE_MAX_BYTES - 1; n <= STUFF_LINE_MAX_BYTES + 1; n++) {
            AUTOBUF struct buf line = BUF_INIT(4000), out = BUF_INIT(4000);
            for (size_t i = 0; i < before; i += 10)
                buf_puts(&line, "a line\r\n");
            repeat(&line, 'y', before % 10);
            buf_puts(&line, "\r\n");
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

/* Every case behind lines of every length up to three blocks: what the octets are must not depend on where they stand. */
static void test_everywhere(void **state) {
    (void)state;
    for (size_t before = 1; before < 200; before++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            AUTOBUF struct buf message = BUF_INIT(4000), out = BUF_INIT(4000), wanted = BUF_INIT(4000);
            repeat(&message, 'x', before);
            buf_puts(&message, "\r\n");
            buf_add_view(&wanted, buf_view(&message));
            buf_puts(&message, cases[i].message);
            bool clean = cases[i].stuffed || !cases[i].message[0]; /* with a line before it nothing is a message */
            buf_puts(&wanted, cases[i].stuffed ? cases[i].stuffed : ".\r\n");
            unit_int(cases[i].message, stuff_is_clean(buf_view(&message)), clean);
            unit_int(cases[i].message, stuff(buf_view(&message), &out), clean ? 0 : -EBADMSG);
            if (clean)
                unit_str(cases[i].message, buf_str(&out), buf_str(&wanted));
        }
}

/* Beside a plain reading, octet by octet. */
static bool is_clean_plainly(const char *p, size_t len) {
    size_t line = 0;
    for (size_t i = 0; i < len; i++) {
        if (p[i] == '\r' && (i + 1 == len || p[i + 1] != '\n'))
            return false;
        if (p[i] == '\n' && (i == 0 || p[i - 1] != '\r' || i - line > STUFF_LINE_MAX_BYTES + 1))
            return false;
        line = p[i] == '\n' ? i + 1 : line;
    }
    return len > 0 && line == len;
}

static void test_any(void **state) {
    (void)state;
    static const char *const pieces[] = {"\r\n", ".", "x", "\r\n.", "From here ", "\r", "\n", "\xC3"};
    uint32_t seed = 1;
    unsigned clean = 0;
    for (unsigned round = 0; round < 20000; round++) {
        AUTOBUF struct buf message = BUF_INIT(4000), out = BUF_INIT(8000), wanted = BUF_INIT(8000);
        bool at_start = true;
        for (unsigned i = 0; i < round % 100; i++) {
            seed = seed * 1664525 + 1013904223;
            unsigned which = (seed >> 16) % 1000;
            buf_puts(&message, pieces[which > 5 ? which % 5 : which % 8]);
        }
        buf_puts(&message, "\r\n");
        for (size_t i = 0; i < message.len; i++) {
            if (at_start && message.data[i] == '.')
                buf_putc(&wanted, '.');
            buf_putc(&wanted, message.data[i]);
            at_start = message.data[i] == '\n';
        }
        buf_puts(&wanted, ".\r\n");
        bool is_clean = is_clean_plainly(message.data, message.len);
        clean += is_clean;
        unit_int("clean", stuff_is_clean(buf_view(&message)), is_clean);
        unit_int("stuffed", stuff(buf_view(&message), &out), is_clean ? 0 : -EBADMSG);
        if (is_clean)
            unit_str("stuffed", buf_str(&out), buf_str(&wanted));
    }
    assert_in_range(clean, 5000, 19000); /* both kinds were seen */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everywhere),  cmocka_unit_test(test_any),     cmocka_unit_test(test_cases),
        cmocka_unit_test(test_line_length), cmocka_unit_test(test_the_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
