/* The lines of calendar files: unfolded, walked, and folded anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

#include "mail/calendar_lines.h"

static void unfolds(void **state) {
    (void)state;
    static const struct {
        const char *file, *want;
    } cases[] = {
        {"A:b\r\nC:d\r\n", "A:b\nC:d\n"},
        {"A:b\nC:d", "A:b\nC:d\n"},
        {"A:b\r\n c\r\n\td\r\n", "A:bcd\n"},
        {"A:b\r\n  c\r\n", "A:b c\n"},
        {"A:b\r\n\r\n\r\nC:d\r\n", "A:b\nC:d\n"},
        {" A:b\r\n", " A:b\n"}, /* nothing to be joined to */
        {"\xef\xbb\xbf"
         "A:b\r\n",
         "A:b\n"},
        {"A:\xc3\r\n \xbc\r\n", "A:ü\n"},
        {"A:\xfc\n", "A:ü\n"},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf text = BUF_INIT(4096);
        struct why why;
        const char *charset = "";
        assert_int_equal(calendar_unfold(view_of(cases[i].file), &text, &charset, &why), 0);
        assert_string_equal(charset, strcmp(cases[i].file, "A:\xfc\n") == 0 ? "windows-1252" : "UTF-8");
        assert_string_equal(buf_str(&text), cases[i].want);
    }
}

static void folds(void **state) {
    (void)state;
    AUTOBUF struct buf long_line = BUF_INIT(4096), text = BUF_INIT(4096);
    buf_puts(&long_line, "A:");
    while (long_line.len < CALENDAR_LINE_MAX)
        buf_putc(&long_line, 'x');
    buf_puts(&long_line, "\r\n");
    assert_int_equal(calendar_fold(buf_view(&long_line), &text), 0);
    assert_string_equal(buf_str(&text), buf_str(&long_line));
    /* one octet more, and a character of two that does not fit */
    buf_truncate(&long_line, CALENDAR_LINE_MAX);
    buf_puts(&long_line, "y\r\nB:");
    for (int i = 0; i < CALENDAR_LINE_MAX - 3; i++)
        buf_putc(&long_line, 'x');
    buf_puts(&long_line, "ü\r\n");
    buf_clear(&text);
    assert_int_equal(calendar_fold(buf_view(&long_line), &text), 0);
    struct view v = buf_view(&text);
    assert_memory_equal(v.ptr + CALENDAR_LINE_MAX, "\r\n y\r\nB:", 8);
    assert_true(view_ends(v, "x\r\n ü\r\n"));
    /* folds as libical makes them at times */
    buf_clear(&text);
    assert_int_equal(calendar_fold(VIEW("A:b\r\r\n \nC:d\r\n  e\r\n"), &text), 0);
    assert_string_equal(buf_str(&text), "A:b\r\nC:d e\r\n");
}

struct seen {
    struct buf text;
    int answer;
};

static int on_line(void *user, const struct calendar_line *line, struct why *why) {
    struct seen *seen = user;
    (void)why; /* nothing is wrong */
    buf_printf(&seen->text, "%u:%u:%.*s=%.*s ", line->number, line->depth, (int)line->name.len, line->name.ptr,
               (int)line->value.len, line->value.ptr);
    return view_eq_str(line->name, "STOP") ? seen->answer : 0;
}

static void walks(void **state) {
    (void)state;
    struct seen seen = {.text = BUF_INIT(4096), .answer = 7};
    struct why why;
    assert_int_equal(
        calendar_walk(VIEW("BEGIN:A\nX;P=\"a:b;c\";Q=d:e:f\nbegin:B\nY:\nEND:b\nEND:A\n"), on_line, &seen, &why), 0);
    assert_string_equal(buf_str(&seen.text), "1:1:BEGIN=A 2:1:X=e:f 3:2:begin=B 4:2:Y= 5:2:END=b 6:1:END=A ");
    assert_int_equal(calendar_walk(VIEW("BEGIN:A\nSTOP:\nnonsense\n"), on_line, &seen, &why), 7);
    static const char *const damaged[] = {"X:y\n",
                                          "END:A\n",
                                          "BEGIN:A\n",
                                          "BEGIN:A\nEND:B\n",
                                          "BEGIN:A\nX\nEND:A\n",
                                          "BEGIN:A\n:y\nEND:A\n",
                                          "BEGIN:A\nX Y:z\nEND:A\n",
                                          "BEGIN:A\nX;P=\"y:z\nEND:A\n",
                                          "BEGIN:A\nEND:A\nEND:A\n"};
    for (size_t i = 0; i < COUNT_OF(damaged); i++)
        if (calendar_walk(view_of(damaged[i]), on_line, &seen, &why) != -EINVAL)
            fail_msg("“%s” is taken", damaged[i]);
    buf_done(&seen.text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unfolds),
        cmocka_unit_test(folds),
        cmocka_unit_test(walks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
