/* Replies as mail systems and providers give them (tests/data/bounces/replies.tsv), each as the Diagnostic-Code of a
 * report. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/files.h"
#include "mail/bounce.h"
#include "mail/record.h"

static enum bounce_class class_of(struct view status, struct view reply) {
    AUTOBUF struct buf text = BUF_INIT(RECORD_MAX_BYTES), part = BUF_INIT(4096);
    struct record *r = malloc(sizeof *r);
    struct bounce *b = malloc(sizeof *b);
    assert_non_null(r);
    assert_non_null(b);
    buf_printf(&part,
               "Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; a@b.example\nAction: failed\nStatus: %.*s\n"
               "Diagnostic-Code: smtp; %.*s\n",
               (int)status.len, status.ptr, (int)reply.len, reply.ptr);
    record_print_head(&text);
    record_print_field(&text, VIEW("from"), VIEW("MAILER-DAEMON@mx.example"));
    record_print_part(&text, 0, VIEW("message/delivery-status"), buf_view(&part));
    record_print_end(&text);
    assert_int_equal(record_read(buf_view(&text), r), 0);
    bounce_read(r, b);
    enum bounce_class class = b->reports[0].class;
    free(r);
    free(b);
    return class;
}

static void test_replies(void **state) {
    (void)state;
    AUTOBUF struct buf file = BUF_INIT(1 << 20);
    assert_int_equal(files_read(AT_FDCWD, "tests/data/bounces/replies.tsv", &file), 0);
    struct view rest = buf_view(&file), line, class, status;
    unsigned count = 0, soft = 0, wrong = 0;
    while (view_line(&rest, &line)) {
        struct view reply = line;
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        assert_true(view_split(&reply, '\t', &class) && view_split(&reply, '\t', &status));
        assert_true(view_eq_str(class, "hard") || view_eq_str(class, "soft"));
        const char *got = bounce_class_name(class_of(status, reply));
        count++;
        soft += view_eq_str(class, "soft");
        if (!view_eq_str(class, got)) {
            wrong++;
            print_message("%s: %.*s\n", got, (int)line.len, line.ptr);
        }
    }
    assert_true(soft > 200 && count - soft > 150);
    if (wrong)
        fail_msg("%u of %u replies", wrong, count);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_replies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
