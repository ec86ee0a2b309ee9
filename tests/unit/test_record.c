#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mail/record.h"

static void test_read(void **state) {
    (void)state;
    static const struct {
        struct view text;
        int result;
    } cases[] = {
        {VIEW("rundbrief-record 1\nend\n"), 0},
        {VIEW("rundbrief-record 1\nfield subject 2\nhi\npart 0 text/plain 5\na\n\tb \nend\n"), 0},
        {VIEW("rundbrief-record 1\nfield subject 0\n\nend\n"), 0},
        {VIEW(""), -EBADMSG},
        {VIEW("rundbrief-record 2\nend\n"), -EBADMSG},
        {VIEW("rundbrief-record 1\n"), -EBADMSG},
        {VIEW("rundbrief-record 1\nend"), -EBADMSG},
        {VIEW("rundbrief-record 1\nend\nx"), -EBADMSG},
        {VIEW("rundbrief-record 1\nfield subject 3\nhi\nend\n"), -EBADMSG},
        {VIEW("rundbrief-record 1\nfield subject 1\nhi\nend\n"), -EBADMSG},
        {VIEW("rundbrief-record 1\nfield subject 99999999999\nhi\nend\n"), -EBADMSG},
        {VIEW("rundbrief-record 1\nfield subject -1\nhi\nend\n"), -EBADMSG},
        {VIEW("rundbrief-record 1\nfield Subject 2\nhi\nend\n"), -EBADMSG},
        {VIEW("rundbrief-record 1\nfield  2\nhi\nend\n"), -EBADMSG},
        {VIEW("rundbrief-record 1\nfield subject 2\nh\t\nend\n"), -EBADMSG},
        {VIEW("rundbrief-record 1\nfield subject 2\nh\xFF\nend\n"), -EBADMSG},
        {VIEW("rundbrief-record 1\npart 0 text/plain 2\nh\x1B\nend\n"), -EBADMSG},
        {VIEW("rundbrief-record 1\nfield subject 02\nhi\nend\n"), -EBADMSG},
        {VIEW("rundbrief-record 1\npart 01 text/plain 2\nhi\nend\n"), -EBADMSG},
        {VIEW("rundbrief-record 1\npart 9 text/plain 2\nhi\nend\n"), -EBADMSG},
        {VIEW("rundbrief-record 1\npart 0 TEXT/plain 2\nhi\nend\n"), -EBADMSG},
        {VIEW("rundbrief-record 1\npart 0 text/plain 2\nhi\nfield to 2\nhi\nend\n"), -EBADMSG},
        {VIEW("rundbrief-record 1\nwhat\nend\n"), -EBADMSG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct record r;
        int result = record_read(cases[i].text, &r);
        if (result != cases[i].result)
            fail_msg("case %zu: %d", i, result);
    }
}

static void test_print(void **state) {
    (void)state;
    AUTOBUF struct buf b = BUF_INIT(RECORD_MAX_BYTES), long_text = BUF_INIT(4 * RECORD_TEXT_MAX_BYTES);
    struct record r;
    record_print_head(&b);
    record_print_field(&b, VIEW("subject"), VIEW("a\tb\r\nc \xFF\xE2\x80\xAE"));
    record_print_field(&b, VIEW("Not A Name"), VIEW("x"));
    record_print_part(&b, 1, VIEW("text/plain"), view_make("a\0b\x1B[2J\n\tc", 10));
    record_print_part(&b, RECORD_LEVELS_MAX + 1, VIEW("text/plain"), VIEW("too deep"));
    record_print_part(&b, 0, VIEW("text/pl\nain"), VIEW("odd"));
    while (long_text.len < RECORD_TEXT_MAX_BYTES + 10)
        buf_puts(&long_text, "ü€");
    record_print_part(&b, 0, VIEW("text/plain"), buf_view(&long_text));
    record_print_end(&b);
    assert_int_equal(buf_error(&b), 0);
    assert_int_equal(record_read(buf_view(&b), &r), 0);
    assert_int_equal(r.field_count, 1);
    assert_true(view_eq_str(record_field(&r, "subject"), "a b  c \xEF\xBF\xBD "));
    assert_null(record_field(&r, "to").ptr);
    assert_int_equal(r.part_count, 3);
    assert_int_equal(r.parts[0].level, 1);
    assert_true(view_eq_str(r.parts[0].text, "ab[2J\n\tc"));
    assert_true(view_eq_str(r.parts[1].type, "application/octet-stream"));
    assert_true(r.parts[2].text.len <= RECORD_TEXT_MAX_BYTES && r.parts[2].text.len > RECORD_TEXT_MAX_BYTES - 4);
}

static void test_limits(void **state) {
    (void)state;
    for (unsigned kind = 0; kind < 2; kind++)
        for (unsigned over = 0; over < 2; over++) {
            AUTOBUF struct buf b = BUF_INIT(RECORD_MAX_BYTES);
            struct record *r = malloc(sizeof *r);
            assert_non_null(r);
            record_print_head(&b);
            for (unsigned i = 0; i < (kind ? RECORD_PARTS_MAX : RECORD_FIELDS_MAX) + over; i++)
                if (kind)
                    record_print_part(&b, 0, VIEW("text/plain"), VIEW("x"));
                else
                    record_print_field(&b, VIEW("to"), VIEW("x"));
            record_print_end(&b);
            assert_int_equal(record_read(buf_view(&b), r), over ? -EBADMSG : 0);
            free(r);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read), cmocka_unit_test(test_print),
                                       cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
