/* rundbrief-mime: takes mails apart, for inbound/reader.c; never started by people. Standard input is its end of a
 * socketpair: for each mail comes a message with two descriptors, the mail to read and where to print its record
 * (mail/record.h). What it reads is hostile. So it looks at none itself: each mail has a child of its own, which goes
 * behind a sandbox before it looks, and lives for that mail. Everything is loaded and made before the first one comes.
 *
 * When the child has ended it answers with the child's status, as waitpid(2) has it: 0 with a whole record; 71 as the exit
 * code without a sandbox, with nothing read; anything else is the mail's doing. It ends when the other end is closed. */
#include <errno.h>
#include <signal.h>
#include <stdalign.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/files.h"
#include "inbound/mime.h"
#include "inbound/reader.h"
#include "inbound/sandbox.h"

#include "base/banned.h"

struct task {
    int mail, record;
};

/* 1 a task; 0 the end, or something that is none. */
static int next_task(struct task *ret) {
    char byte;
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof *ret)];
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t got;
    do
        got = recvmsg(STDIN_FILENO, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    const struct cmsghdr *c = got == 1 ? CMSG_FIRSTHDR(&message) : NULL;
    if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof *ret))
        return 0;
    memcpy(ret, CMSG_DATA(c), sizeof *ret);
    return 1;
}

/* The child: nothing but the mail and the way out is open when it begins to read. */
static _Noreturn void take_apart(const struct task *t, const struct sandbox *sandbox) {
    AUTOBUF struct buf mail = BUF_INIT(READER_MAIL_MAX_BYTES), record = BUF_INIT(2 * RECORD_MAX_BYTES);
    uint64_t bytes;
    (void)close(STDIN_FILENO);              /* its sandbox has no other use for it */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* cannot fail for a signal that exists */
    (void)alarm(READER_SECONDS_MAX);        /* none was set */
    if (sandbox_enter(sandbox) < 0)
        _exit(EX_OSERR);
    int r = reader_gather(t->mail, &mail, &bytes);
    if (r == 0) {
        mime_print_record(buf_view(&mail), &record);
        r = buf_error(&record);
    }
    if (r == 0)
        r = files_write_all(t->record, record.data, record.len);
    _exit(r == 0 ? EX_OK : EX_SOFTWARE); /* nothing of libraries runs any more */
}

static int wait_for(pid_t child) {
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

int main(void) {
    files_guard_standard();
    struct mime_converters converters = {0};
    struct sandbox sandbox;
    struct task t;
    mime_begin(&converters);
    if (sandbox_make(&sandbox) < 0)
        return EX_OSERR;
    while (next_task(&t) == 1) {
        pid_t child = fork();
        if (child == 0)
            take_apart(&t, &sandbox);
        (void)close(t.mail); /* the child's now */
        (void)close(t.record);
        int status = child > 0 ? wait_for(child) : -1;
        if (status == -1 || send(STDIN_FILENO, &status, sizeof status, MSG_NOSIGNAL) != sizeof status)
            return EX_OSERR; /* whoever waits sees the end of it */
    }
    sandbox_done(&sandbox);
    return EX_OK;
}
