/* With the real reader in its sandbox. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/number.h"
#include "inbound/reader.h"
#include "inbound/sandbox.h"

static struct record record;
static struct buf text = BUF_INIT(RECORD_MAX_BYTES);

static struct reader *reader;

static int read_mail(struct view mail) {
    struct why why;
    buf_clear(&text);
    return reader_read(reader, mail, &text, &record, &why);
}

static void test_mails(void **state) {
    (void)state;
    static const struct {
        struct view mail;
        const char *subject, *types, *first; /* types joined by blanks with their levels; the first text */
    } cases[] = {
        {VIEW("Subject: hi\n\nbody\n"), "hi", "0text/plain", "body\n"},
        {VIEW("From a@b Mon Jan 1\r\nSubject: hi\r\n\r\nbody\r\n"), "hi", "0text/plain", "body\n"},
        {VIEW("Subject: hi\r\rbody\r"), "hi", "0text/plain", "body\n"}, /* CR alone */
        {VIEW("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n =?iso-8859-1?q?_aus_K=F6ln?=\n\n"), "Grüße aus Köln",
         "0text/plain", ""},
        {VIEW("Subject: x\nContent-Type: text/plain; charset=iso-2022-jp\n\n\x1B$B%f!<%6!<\x1B(B\n"), "x",
         "0text/plain", "ユーザー\n"},
        {VIEW("Subject: x\nContent-Type: text/plain; charset=no-such\n\nK\xF6ln\n"), "x", "0text/plain", "Köln\n"},
        {VIEW("Subject: x\nContent-Type: text/plain; charset=utf-8\n\n\xFF\xFEx\n"), "x", "0text/plain", "ÿþx\n"},
        {VIEW("Subject: x\nContent-Transfer-Encoding: base64\n\nSGFsbG8=\n"), "x", "0text/plain", "Hallo"},
        {VIEW("Subject: x\nContent-Transfer-Encoding: base64\n\n!!!!\n"), "x", "0text/plain", ""},
        {VIEW("Subject: x\nContent-Type: multipart/report; boundary=b\n\n--b\n\ntext\n--b\nContent-Type: "
              "message/delivery-status\n\nA: 1\n\nB: 2\n--b\nContent-Type: message/rfc822\n\nSubject: inner\nX: "
              "1\n\nbody\n--b--\n"),
         "x", "0text/plain 0message/delivery-status 0message/rfc822 1text/plain", "text"},
        {VIEW("Subject: x\nContent-Type: multipart/report; boundary=b\n\nno boundary\n"), "x", "0text/plain",
         "no boundary\n"},
        {VIEW("Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/png\n\nx\n--b\n\ny\n"),
         "x", "0text/plain", "y\n"},
        {VIEW(""), NULL, "", NULL},
        {VIEW("\n\n\n"), NULL, "", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTOBUF struct buf types = BUF_INIT(4096);
        int r = read_mail(cases[i].mail);
        if (r < 0)
            fail_msg("case %zu: %d", i, r);
        for (size_t k = 0; k < record.part_count; k++) {
            buf_printf(&types, "%s%u", k ? " " : "", record.parts[k].level);
            buf_add_view(&types, record.parts[k].type);
        }
        struct view subject = record_field(&record, "subject");
        if (cases[i].subject && !view_eq_str(subject, cases[i].subject))
            fail_msg("case %zu: subject %.*s", i, (int)subject.len, subject.ptr);
        if (cases[i].first && strcmp(buf_str(&types), cases[i].types) != 0)
            fail_msg("case %zu: types %s", i, buf_str(&types));
        if (cases[i].first && !view_eq_str(record.parts[0].text, cases[i].first))
            fail_msg("case %zu: text %.*s", i, (int)record.parts[0].text.len, record.parts[0].text.ptr);
    }
}

enum { MANY = 6 << 20, SOME = 512 << 10 };

static void fill(struct buf *b, const char *piece, size_t size) {
    while (b->len < size)
        buf_puts(b, piece);
}

/* The first is more than is looked at. The reader may refuse or cut it, but neither take long nor trouble us. */
static void test_bombs(void **state) {
    (void)state;
    static const struct {
        const char *head, *piece;
    } bombs[] = {
        {"Subject: x\n", "A: b\n"},
        {"Subject: x\n", " folded\n"},
        {"Subject: x", "x"},
        {"Subject: ", "=?utf-8?q?=FF?= "},
        {"To: ", "a:b,;<@,(("},
        {"Content-Type: text/plain", "; a=b"},
        {"", "Content-Type: multipart/mixed; boundary=b\n\n--b\n"},
        {"", "Content-Type: message/rfc822\n\n"},
        {"Content-Type: multipart/mixed; boundary=b\n\n", "--b\n\nx\n"},
        {"Content-Type: multipart/mixed; boundary=b\n\n", "--b\nContent-Type: message/rfc822\n\nSubject: y\n\n"},
        {"Content-Transfer-Encoding: quoted-printable\n\n", "=\n"},
        {"Content-Transfer-Encoding: x-uuencode\n\n", "begin 644 x\n"},
        {"Content-Type: text/plain; charset=utf-7\n\n", "+AAAA-"},
        {"Content-Type: text/plain; charset=iso-2022-jp\n\n", "\x1B$B"},
        {"From: \xFF\xFE\x80", "\x80\xFF"},
    };
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
        AUTOBUF struct buf mail = BUF_INIT(2 * MANY);
        buf_puts(&mail, bombs[i].head);
        fill(&mail, bombs[i].piece, i == 0 ? MANY : SOME);
        int64_t began = clock_mono_usec();
        int r = read_mail(buf_view(&mail));
        if (r != 0 && r != -EBADMSG)
            fail_msg("bomb %zu: %d", i, r);
        if (clock_mono_usec() - began > 30 * USEC_PER_SEC)
            fail_msg("bomb %zu takes long", i);
    }
    AUTOBUF struct buf zeros = BUF_INIT(MANY);
    memset(buf_reserve(&zeros, MANY), 0, MANY);
    buf_used(&zeros, MANY);
    int r = read_mail(buf_view(&zeros));
    assert_true(r == 0 || r == -EBADMSG);
    assert_int_equal(read_mail(VIEW("Subject: after\n\nall\n")), 0);
}

/* What a captured reader could try. Each in a process that enters the sandbox first; how it ends. */
static int in_sandbox(int (*attempt)(void)) {
    struct sandbox sandbox;
    assert_int_equal(sandbox_make(&sandbox), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(sandbox_enter(&sandbox) == 0 ? attempt() : 99);
    sandbox_done(&sandbox);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int harmless(void) {
    char *p = malloc(1 << 20);
    bool good = p && write(STDOUT_FILENO, "", 0) == 0;
    free(p);
    return good ? 0 : 1;
}

static int open_file(void) {
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES ? 0 : 1;
}

static int connect_out(void) {
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 ? 1 : 2;
}

static int start_process(void) {
    return fork() < 0 ? 1 : 2;
}

static int run_program(void) {
    char *argv[] = {(char *)"true", NULL};
    return execv("/bin/true", argv) < 0 ? 1 : 2;
}

static int kill_parent(void) {
    return kill(getppid(), 0) < 0 ? 1 : 2;
}

static int spin(void) {
    for (volatile unsigned i = 0; clock_mono_usec() > 0; i++)
        ;
    return 0;
}

static void test_sandbox(void **state) {
    (void)state;
    assert_int_equal(in_sandbox(harmless), 0);
    assert_int_equal(in_sandbox(open_file), 0);
    assert_int_equal(in_sandbox(connect_out), -SIGSYS);
    assert_int_equal(in_sandbox(start_process), -SIGSYS);
    assert_int_equal(in_sandbox(run_program), -SIGSYS);
    assert_int_equal(in_sandbox(kill_parent), -SIGSYS);
    int ended = in_sandbox(spin);
    assert_true(ended == -SIGXCPU || ended == -SIGKILL);
}

static void test_gather(void **state) {
    (void)state;
    int fds[2];
    uint64_t bytes;
    AUTOBUF struct buf mail = BUF_INIT(4);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(write(fds[1], "abcdefgh", 8), 8);
    assert_int_equal(close(fds[1]), 0);
    assert_int_equal(reader_gather(fds[0], &mail, &bytes), 0);
    assert_int_equal(bytes, 8);
    assert_string_equal(buf_str(&mail), "abcd");
    assert_int_equal(close(fds[0]), 0);
}

static int group_setup(void **state) {
    (void)state;
    return reader_new(&reader);
}

static int group_teardown(void **state) {
    (void)state;
    reader = reader_free(reader);
    buf_done(&text);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mails), cmocka_unit_test(test_bombs),
                                       cmocka_unit_test(test_sandbox), cmocka_unit_test(test_gather)};
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
