/* The dialogue, with the real reader behind it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/files.h"
#include "conf/conf.h"
#include "door/committer.h"
#include "door/lmtp.h"
#include "door/mail.h"
#include "inbound/reader.h"

static char folder[] = "/tmp/rundbrief-lmtp-XXXXXX";
static struct conf conf = {
    .spool_dir = folder, .return_path = "back@o.example", .templates = "templates", .templates_local = ""};
static struct reader *reader;
static struct committer *committer;
static struct mail_door *door;

static int setup(void **state) {
    (void)state;
    char path[100];
    struct why why;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/requests/mail", folder);
    assert_int_equal(files_make_dirs(path, 0700), 0);
    assert_int_equal(reader_new(&reader), 0);
    assert_int_equal(committer_new(path, &committer), 0);
    assert_int_equal(mail_door_new(&conf, reader, committer, &why, &door), 0);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    door = mail_door_free(door);
    committer = committer_free(committer);
    reader = reader_free(reader);
    return files_remove_tree(AT_FDCWD, folder);
}

/* What is answered to a client that says all at once; the codes of the last lines, joined by blanks. */
static void talk(struct view said, struct buf *codes, int should) {
    FILE *in = tmpfile(), *out = tmpfile();
    assert_true(in && out);
    assert_int_equal(files_write_all(fileno(in), said.ptr, said.len), 0);
    assert_int_equal(lseek(fileno(in), 0, SEEK_SET), 0);
    assert_int_equal(lmtp_serve(door, fileno(in), fileno(out)), should);
    AUTOBUF struct buf answers = BUF_INIT(1 << 20);
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fileno(out));
    assert_int_equal(files_read(AT_FDCWD, path, &answers), 0);
    struct view rest = buf_view(&answers), line;
    while (view_line(&rest, &line))
        if (line.len > 3 && line.ptr[3] == ' ') {
            buf_puts(codes, codes->len ? " " : "");
            buf_add_view(codes, view_slice(line, 0, 3));
        }
    (void)fclose(in);
    (void)fclose(out);
}

/* How many records there are, in whatever files. */
static unsigned take_requests(struct buf *all, unsigned *ret_ignored) {
    unsigned records = 0;
    char path[200];
    char **names;
    size_t count;
    (void)snprintf(path, sizeof path, "%s/requests/mail", folder);
    assert_int_equal(files_list(AT_FDCWD, path, 1000, &names, &count), 0);
    *ret_ignored = 0;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(path, sizeof path, "%s/requests/mail/%s", folder, names[i]);
        AUTOBUF struct buf one = BUF_INIT(1 << 20);
        assert_int_equal(files_read(AT_FDCWD, path, &one), 0);
        buf_add_view(all, buf_view(&one));
        assert_int_equal(unlink(path), 0);
        if (strcmp(names[i], "ignored") == 0) {
            *ret_ignored = (unsigned)atol(buf_str(&one));
            continue;
        }
        for (size_t k = 0; k < one.len; k++)
            records += one.data[k] == '\n';
        records -= 2; /* head and end */
    }
    files_free_names(names, count);
    return records;
}

#define BEGIN "LHLO x\r\nMAIL FROM:<>\r\n"
#define REPORT                                                                                                         \
    "From: MAILER-DAEMON@x.example\r\n\r\n<a@b.example>: 550 5.1.1 no such user\r\n..dot\r\n.\n\r\n\n.\r\n.\r\n"

static void test_talk(void **state) {
    (void)state;
    static const struct {
        struct view said;
        const char *codes;
        int result;
        unsigned requests, ignored;
        const char *has; /* in the requests */
    } cases[] = {
        {VIEW(""), "220", 0, 0, 0, NULL},
        {VIEW("QUIT\r\n"), "220 221", 0, 0, 0, NULL},
        {VIEW("lhlo x\nquit\n"), "220 250 221", 0, 0, 0, NULL},
        {VIEW("HELO x\r\nEHLO x\r\nMAIL FROM:<>\r\nWHAT\r\nQUIT\r\n"), "220 500 500 503 503 221", 0, 0, 0, NULL},
        {VIEW("LHLO x\r\nRCPT TO:<back@o.example>\r\nDATA\r\nVRFY a\r\nNOOP\r\nRSET\r\nWHAT\r\n"),
         "220 250 503 503 252 250 250 500", 0, 0, 0, NULL},
        {VIEW(BEGIN "RCPT TO:<BACK+abc@O.example>\r\nRCPT TO:<@h.example:back+def@o.example> X=Y\r\nRCPT "
                    "TO:<backx@o.example>\r\nRCPT TO:<back+a@p.example>\r\nRCPT TO:back\r\nDATA\r\n" REPORT "QUIT\r\n"),
         "220 250 250 250 250 550 550 501 354 250 250 221", 0, 2, 0,
         "code=abc\tclass=hard\tstatus=5.1.1\taction=suppress"},
        /* A mail to an opt-out address; what a machine sends there opts nobody out. */
        {VIEW(BEGIN "RCPT TO:<back+uabc@o.example>\r\nDATA\r\nFrom: a@b.example\r\n\r\nplease\r\n.\r\n"),
         "220 250 250 250 354 250", 0, 1, 0, "mail-leave\tcode=abc"},
        {VIEW(BEGIN "RCPT TO:<back+uabc@o.example>\r\nDATA\r\nFrom: a@b.example\r\nAuto-Submitted: "
                    "auto-replied\r\n\r\naway\r\n.\r\n"),
         "220 250 250 250 354 250", 0, 0, 1, NULL},
        {VIEW(BEGIN "RCPT TO:<back@o.example>\r\nDATA\r\n" REPORT), "220 250 250 250 354 250", 0, 0, 1, NULL},
        /* Gone before the end: nothing is taken. */
        {VIEW(BEGIN "RCPT TO:<back+abc@o.example>\r\nDATA\r\nSubject: x\r\n\r\n.\n.\rx\r\n"), "220 250 250 250 354",
         -ECONNRESET, 0, 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTOBUF struct buf codes = BUF_INIT(10000), requests = BUF_INIT(1 << 20);
        talk(cases[i].said, &codes, cases[i].result);
        if (strcmp(buf_str(&codes), cases[i].codes) != 0)
            fail_msg("case %zu: %s", i, buf_str(&codes));
        unsigned ignored, count = take_requests(&requests, &ignored);
        if (count != cases[i].requests || ignored != cases[i].ignored ||
            (cases[i].has && !strstr(buf_str(&requests), cases[i].has)))
            fail_msg("case %zu: %u requests: %s", i, count, buf_str(&requests));
    }
}

static void test_limits(void **state) {
    (void)state;
    AUTOBUF struct buf said = BUF_INIT(16 << 20), codes = BUF_INIT(10000), requests = BUF_INIT(1 << 20);
    buf_puts(&said, "LHLO x\r\n");
    for (int i = 0; i < LMTP_LINE_MAX_BYTES + 10; i++)
        buf_putc(&said, 'x');
    buf_puts(&said, "\r\nMAIL FROM:<>\r\n");
    for (int i = 0; i < LMTP_RECIPIENTS_MAX + 1; i++)
        buf_puts(&said, "RCPT TO:<back+a@o.example>\r\n");
    buf_puts(&said, "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<back+abc@o.example>\r\nDATA\r\nFrom: mailer-daemon\r\n\r\n"
                    "<a@b.example>: 550 5.1.1 no such user\r\n--- Below this line is a copy of the message.\r\n");
    while (said.len < (10 << 20))
        buf_puts(&said, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n");
    buf_puts(&said, ".\r\nQUIT\r\n");
    talk(buf_view(&said), &codes, 0);
    assert_true(view_starts(buf_view(&codes), "220 250 500 250 250"));
    assert_true(view_ends(buf_view(&codes), "250 452 250 250 250 354 250 221"));
    unsigned ignored;
    assert_int_equal(take_requests(&requests, &ignored), 1);
    assert_non_null(strstr(buf_str(&requests), "bounce\tcode=abc\tclass=hard"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_talk), cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
