#include "inbound/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/number.h"
#include "prefix.h"

#include "base/banned.h"

static const char program_name[] = "rundbrief-mime";
enum { NO_SANDBOX = 71 }; /* exit code: EX_OSERR of the program */

extern char **environ;

struct program {
    pid_t pid; /* 0: not started */
    int control;
    bool busy;
};

struct reader {
    pthread_mutex_t mutex; /* for what is busy */
    pthread_cond_t changed;
    size_t count;
    struct program programs[READER_AT_ONCE_MAX];
};

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

static int spawn(const char *path, int control, pid_t *ret) {
    posix_spawn_file_actions_t actions;
    int r = posix_spawn_file_actions_init(&actions);
    if (r != 0)
        return -r;
    /* dup2 onto itself would leave it close-on-exec: it is above 2, as standard streams are open. */
    if ((r = posix_spawn_file_actions_adddup2(&actions, control, STDIN_FILENO)) == 0 &&
        (r = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)) == 0 &&
        /* What libraries say when a mail ends them is no news. */
        (r = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)) == 0) {
        char *argv[] = {(char *)program_name, NULL};
        r = posix_spawn(ret, path, &actions, NULL, argv, environ);
    }
    (void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
    return -r;
}

static int start(struct program *p, struct why *why) {
    char path[PATH_MAX];
    int pair[2];
    int r = find_program(path);
    if (r == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        r = -errno;
    if (r < 0)
        return why_set(why, r, "%s cannot be started: %s", program_name, strerror(-r));
    r = spawn(path, pair[1], &p->pid);
    (void)close(pair[1]); /* the program's */
    if (r == 0) {
        p->control = pair[0];
        return 0;
    }
    (void)close(pair[0]); /* nothing was said on it */
    p->pid = 0;
    (void)why_set(why, r, "%s cannot be started: %s", path, strerror(-r));
    why_todo(why, "Install it beside the programs, or in %s", RUNDBRIEF_LIB_DIR);
    return r;
}

/* Its child goes with it (PR_SET_PDEATHSIG). */
static void end(struct program *p) {
    if (p->pid == 0)
        return;
    (void)close(p->control);     /* only a socket */
    (void)kill(p->pid, SIGKILL); /* it may be gone already */
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    p->pid = 0;
}

/* One that runs, before one that does not. */
static struct program *claim(struct reader *r) {
    struct program *found = NULL;
    (void)pthread_mutex_lock(&r->mutex); /* a plain mutex that this thread does not hold: cannot fail */
    while (!found) {
        for (size_t i = 0; i < r->count; i++)
            if (!r->programs[i].busy && (!found || (!found->pid && r->programs[i].pid)))
                found = &r->programs[i];
        if (!found)
            (void)pthread_cond_wait(&r->changed, &r->mutex); /* the same */
    }
    found->busy = true;
    (void)pthread_mutex_unlock(&r->mutex);
    return found;
}

static void give_back(struct reader *r, struct program *p) {
    (void)pthread_mutex_lock(&r->mutex); /* as above */
    p->busy = false;
    (void)pthread_cond_signal(&r->changed);
    (void)pthread_mutex_unlock(&r->mutex);
}

/* ---- one mail ---- */

/* 0 when there is something to read, or the end; -ETIMEDOUT. */
static int wait_for(int fd, int64_t deadline) {
    for (;;) {
        int64_t left = deadline - clock_mono_usec();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n = left <= 0 ? 0 : poll(&p, 1, (int)(left / 1000 + 1));
        if (n > 0 || (n < 0 && errno != EINTR))
            return n > 0 ? 0 : -errno;
        if (n == 0)
            return -ETIMEDOUT;
    }
}

/* All that it says, until it closes its end. -ETIMEDOUT, -EMSGSIZE. */
static int take(int fd, int64_t deadline, struct buf *text) {
    for (;;) {
        int r = wait_for(fd, deadline);
        if (r < 0)
            return r;
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

static int hand_over(const struct program *p, int mail, int record) {
    const int fds[] = {mail, record};
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof fds)] = {0};
    char byte = 0;
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(c), fds, sizeof fds);
    return sendmsg(p->control, &message, MSG_NOSIGNAL) == 1 ? 0 : -EPIPE;
}

/* -EPIPE: the program is gone. *ret_status is its child's. */
static int ask(const struct program *p, struct view mail, struct buf *text, int *ret_status) {
    int64_t deadline = clock_mono_usec() + (READER_SECONDS_MAX + 1) * USEC_PER_SEC;
    int pipe_fds[2];
    AUTOCLOSE int in = mail_fd(mail);
    if (in < 0 || pipe2(pipe_fds, O_CLOEXEC) < 0)
        return in < 0 ? in : -errno;
    AUTOCLOSE int out = pipe_fds[0];
    int r = hand_over(p, in, pipe_fds[1]);
    (void)close(pipe_fds[1]); /* nothing was written here */
    if (r == 0)
        r = take(out, deadline, text);
    if (r == 0)
        r = wait_for(p->control, deadline);
    if (r == 0 && recv(p->control, ret_status, sizeof *ret_status, 0) != sizeof *ret_status)
        r = -EPIPE;
    return r;
}

int reader_read(struct reader *reader, struct view mail, struct buf *text, struct record *ret, struct why *why) {
    struct program *p = claim(reader);
    int status = 0, r = 0;
    /* One that went away meanwhile is none of this mail's doing, the first time. */
    for (unsigned tries = 0; tries < 2 && (r == 0 || r == -EPIPE); tries++) {
        buf_clear(text);
        r = p->pid ? 0 : start(p, why);
        if (r < 0) {
            give_back(reader, p);
            return r;
        }
        r = ask(p, mail, text, &status);
        if (r < 0 || WIFSIGNALED(status))
            end(p);
        if (r == 0)
            break;
    }
    give_back(reader, p);
    if (r == 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        r = -ETIMEDOUT; /* it has few seconds of the processor: the machine has none left */
    if (r < 0 && r != -EMSGSIZE)
        return why_set(why, r, "%s gave no answer: %s", program_name, strerror(-r));
    if (r == 0 && WIFEXITED(status) && WEXITSTATUS(status) == NO_SANDBOX)
        return why_set(why, -EPERM, "%s has no sandbox and reads nothing", program_name);
    if (r < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0 || record_read(buf_view(text), ret) < 0)
        return why_set(why, -EBADMSG, "this mail cannot be read");
    return 0;
}

int reader_new(struct reader **ret) {
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    r->count = processors > 0 && processors < READER_AT_ONCE_MAX ? (size_t)processors : READER_AT_ONCE_MAX;
    (void)pthread_mutex_init(&r->mutex, NULL); /* on Linux neither of these two fails */
    (void)pthread_cond_init(&r->changed, NULL);
    *ret = r;
    return 0;
}

struct reader *reader_free(struct reader *r) {
    if (!r)
        return NULL;
    for (size_t i = 0; i < r->count; i++)
        end(&r->programs[i]);
    (void)pthread_cond_destroy(&r->changed);
    (void)pthread_mutex_destroy(&r->mutex);
    free(r);
    return NULL;
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
