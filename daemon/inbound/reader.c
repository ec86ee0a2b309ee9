#include "inbound/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/number.h"
#include "prefix.h"

#include "base/banned.h"

static const char program_name[] = "rundbrief-mime";
enum { NOT_STARTED = 127, NO_SANDBOX = 71 }; /* exit codes: of posix_spawn(3), and EX_OSERR of the program */

extern char **environ;

/* Beside the program that runs, as in a build, else where it is installed. */
static int find_program(char path[PATH_MAX]) {
    ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - sizeof program_name - 1);
    for (; len > 0 && path[len - 1] != '/'; len--)
        ;
    if (len > 0) {
        memcpy(path + len, program_name, sizeof program_name);
        if (access(path, X_OK) == 0)
            return 0;
    }
    int n = snprintf(path, PATH_MAX, "%s/%s", RUNDBRIEF_LIB_DIR, program_name);
    return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* A descriptor from which the mail can be read, from its beginning. */
static int mail_fd(struct view mail) {
    AUTOCLOSE int fd = memfd_create("mail", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = files_write_all(fd, mail.ptr, mail.len < READER_MAIL_MAX_BYTES ? mail.len : READER_MAIL_MAX_BYTES);
    if (r < 0)
        return r;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    int handed = fd;
    fd = -1;
    return handed;
}

static int start(const char *path, int in, int out, pid_t *ret) {
    posix_spawn_file_actions_t actions;
    int r = posix_spawn_file_actions_init(&actions);
    if (r != 0)
        return -r;
    /* dup2 onto itself would leave it close-on-exec: both are above 2, as standard streams are open. */
    if ((r = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO)) == 0 &&
        (r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO)) == 0 &&
        /* What libraries say when a mail ends them is no news. */
        (r = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)) == 0) {
        char *argv[] = {(char *)program_name, NULL};
        r = posix_spawn(ret, path, &actions, NULL, argv, environ);
    }
    (void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
    return -r;
}

/* All that it says, until it closes its end. -ETIMEDOUT, -EMSGSIZE. */
static int take(int fd, struct buf *text) {
    int64_t deadline = clock_mono_usec() + READER_SECONDS_MAX * USEC_PER_SEC;
    for (;;) {
        int64_t left = deadline - clock_mono_usec();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n = left <= 0 ? 0 : poll(&p, 1, (int)(left / 1000 + 1));
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return -ETIMEDOUT;
        if (n < 0)
            continue;
        enum { CHUNK = 64 << 10 };
        char bytes[CHUNK];
        ssize_t got = read(fd, bytes, sizeof bytes);
        if (got == 0)
            return buf_error(text);
        if (got > 0)
            buf_add(text, bytes, (size_t)got);
        else if (errno != EINTR)
            return -errno;
        if (buf_error(text) < 0)
            return buf_error(text);
    }
}

static int end(pid_t pid, bool kill_it, int *ret_status) {
    if (kill_it)
        (void)kill(pid, SIGKILL); /* it may be gone already */
    while (waitpid(pid, ret_status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

int reader_read(struct view mail, struct buf *text, struct record *ret, struct why *why) {
    char path[PATH_MAX];
    int pipe_fds[2], status = 0;
    pid_t pid;
    int r = find_program(path);
    AUTOCLOSE int in = r < 0 ? r : mail_fd(mail);
    if (in < 0 || pipe2(pipe_fds, O_CLOEXEC) < 0) {
        r = in < 0 ? in : -errno;
        return why_set(why, r, "a mail cannot be handed to %s: %s", program_name, strerror(-r));
    }
    AUTOCLOSE int out = pipe_fds[0];
    r = start(path, in, pipe_fds[1], &pid);
    (void)close(pipe_fds[1]); /* nothing was written here */
    if (r < 0) {
        (void)why_set(why, r, "%s cannot be started: %s", path, strerror(-r));
        why_todo(why, "Install it beside the programs, or in %s", RUNDBRIEF_LIB_DIR);
        return r;
    }
    r = take(out, text);
    int ended = end(pid, r < 0, &status);
    if (r == -ETIMEDOUT || r == -ENOMEM || ended < 0)
        return why_set(why, r < 0 ? r : ended, "%s gave no answer: %s", program_name, strerror(r < 0 ? -r : -ended));
    if (r == 0 && WIFEXITED(status) && WEXITSTATUS(status) == NO_SANDBOX)
        return why_set(why, -EPERM, "%s has no sandbox and reads nothing", program_name);
    if (r == 0 && WIFEXITED(status) && WEXITSTATUS(status) == NOT_STARTED)
        return why_set(why, -ENOEXEC, "%s does not start", path);
    if (r < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0 || record_read(buf_view(text), ret) < 0)
        return why_set(why, -EBADMSG, "this mail cannot be read");
    return 0;
}

int reader_gather(int fd, struct buf *mail, uint64_t *ret_bytes) {
    enum { CHUNK = 64 << 10 };
    char bytes[CHUNK];
    *ret_bytes = 0;
    for (;;) {
        ssize_t got = read(fd, bytes, sizeof bytes);
        if (got == 0)
            return buf_error(mail);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        *ret_bytes += (uint64_t)got;
        size_t room = mail->limit_bytes - mail->len;
        buf_add(mail, bytes, (size_t)got < room ? (size_t)got : room);
        if (buf_error(mail) < 0)
            return buf_error(mail);
    }
}
