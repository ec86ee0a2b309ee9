#include "net/question.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"

#include "net/loop.h"

#include "base/banned.h"

struct question {
    struct question *next, **link;
    struct question_server *server; /* NULL: it is gone */
    int fd;
    struct loop_source *io, *deadline;
};

struct question_server {
    struct loop *loop;
    int fd;
    struct loop_source *io, *rest;
    question_on_ask *on_ask;
    void *user;
    struct question *questions;
    unsigned count;
};

static const int64_t rest_usec = USEC_PER_SEC;

static int address_of(const char *path, struct sockaddr_un *ret) {
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof ret->sun_path)
        return -ENAMETOOLONG;
    memcpy(ret->sun_path, path, strlen(path) + 1);
    return 0;
}

/* ---- the one that answers ---- */

static void hang_up(struct question *q) {
    q->io = loop_remove(q->io);
    q->deadline = loop_remove(q->deadline);
    if (q->fd >= 0)
        (void)close(q->fd); /* nothing is left to be written */
    q->fd = -1;
}

static void question_end(struct question *q) {
    struct question_server *s = q->server;
    hang_up(q);
    *q->link = q->next;
    if (q->next)
        q->next->link = q->link;
    free(q);
    if (s && s->count-- == QUESTION_CONNECTIONS)
        (void)loop_set_io(s->io, EPOLLIN); /* it was watched before */
}

static void on_deadline(void *user) {
    question_end(user);
}

static void on_question(void *user, int fd, uint32_t events) {
    struct question *q = user;
    char text[QUESTION_MAX_BYTES + 1];
    (void)events;
    ssize_t n = recv(fd, text, sizeof text, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || n > QUESTION_MAX_BYTES) {
        question_end(q);
        return;
    }
    q->io = loop_remove(q->io);
    q->deadline = loop_remove(q->deadline);
    q->server->on_ask(q->server->user, q, view_make(text, (size_t)n));
}

static int question_new(struct question_server *s, int fd) {
    struct question *q = calloc(1, sizeof *q);
    if (!q)
        return -ENOMEM;
    *q = (struct question){.next = s->questions, .link = &s->questions, .server = s, .fd = fd};
    if (q->next)
        q->next->link = &q->next;
    s->questions = q;
    s->count++;
    int r = loop_add_io(s->loop, fd, EPOLLIN, on_question, q, &q->io);
    if (r == 0)
        r = loop_add_timer(s->loop, on_deadline, q, &q->deadline);
    if (r == 0)
        loop_set_timer(q->deadline, clock_mono_usec() + QUESTION_DEADLINE_USEC);
    else
        question_end(q); /* closes fd */
    return r == 0 ? 0 : -EAGAIN;
}

static void on_rested(void *user) {
    const struct question_server *s = user;
    (void)loop_set_io(s->io, s->count < QUESTION_CONNECTIONS ? EPOLLIN : 0); /* it was watched before */
}

static void on_connection(void *user, int fd, uint32_t events) {
    struct question_server *s = user;
    (void)events;
    int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (connection < 0) {
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
            return;
        log_warning("questions-not-accepted", LOG_TEXT("error", strerror(errno)));
        (void)loop_set_io(s->io, 0); /* somebody waits still: not at once again */
        loop_set_timer(s->rest, clock_mono_usec() + rest_usec);
        return;
    }
    if (question_new(s, connection) == -ENOMEM)
        (void)close(connection); /* nothing was promised */
    if (s->count == QUESTION_CONNECTIONS)
        (void)loop_set_io(s->io, 0); /* it was watched before */
}

static int listen_at(const char *path, struct why *why) {
    struct sockaddr_un address;
    int r = address_of(path, &address);
    int fd = r == 0 ? socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : r;
    struct stat st;
    if (r == 0 && fd >= 0 && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        (void)unlink(path); /* bind() says what is wrong */
    if (r == 0 && (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || chmod(path, 0666) < 0 ||
                   listen(fd, QUESTION_CONNECTIONS) < 0))
        r = -errno;
    if (r == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd); /* nothing was written to it */
    (void)why_set(why, r, "cannot listen for the doors' questions: %s", strerror(-r));
    why_where(why, "%s", path);
    return r;
}

int question_server_new(struct loop *loop, const char *path, question_on_ask *on_ask, void *user, struct why *why,
                        struct question_server **ret) {
    struct question_server *s = calloc(1, sizeof *s);
    if (!s)
        return why_set(why, -ENOMEM, "out of memory");
    *s = (struct question_server){.loop = loop, .on_ask = on_ask, .user = user};
    s->fd = listen_at(path, why);
    int r = s->fd < 0 ? s->fd : 0;
    if (r == 0 && ((r = loop_add_io(loop, s->fd, EPOLLIN, on_connection, s, &s->io)) < 0 ||
                   (r = loop_add_timer(loop, on_rested, s, &s->rest)) < 0))
        (void)why_set(why, r, "cannot watch a socket: %s", strerror(-r));
    if (r < 0)
        s = question_server_free(s);
    else
        *ret = s;
    return r;
}

struct question_server *question_server_free(struct question_server *s) {
    if (!s)
        return NULL;
    for (struct question *q = s->questions, *next; q; q = next) {
        next = q->next;
        if (q->io) { /* not asked yet */
            question_end(q);
            continue;
        }
        hang_up(q);
        q->server = NULL;
        q->next = NULL; /* each is alone from now on */
        q->link = NULL;
    }
    (void)loop_remove(s->io);
    (void)loop_remove(s->rest);
    if (s->fd >= 0)
        (void)close(s->fd); /* only listened on */
    free(s);
    return NULL;
}

void question_answer(struct question *q, struct view answer) {
    if (!q->server) {
        free(q);
        return;
    }
    if (answer.len && answer.len <= QUESTION_ANSWER_MAX_BYTES)
        (void)send(q->fd, answer.ptr, answer.len, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR); /* or the asker is gone */
    question_end(q);
}

/* ---- the one that asks ---- */

struct asking {
    int fd;
    struct loop_source *io, *deadline, *post;
    int failure;
    question_on_answer *on_answer;
    void *user;
};

struct asking *asking_cancel(struct asking *a) {
    if (!a)
        return NULL;
    (void)loop_remove(a->io);
    (void)loop_remove(a->deadline);
    (void)loop_remove(a->post);
    if (a->fd >= 0)
        (void)close(a->fd); /* what was asked is not wanted any more */
    free(a);
    return NULL;
}

static void end(struct asking *a, int result, struct view answer) {
    question_on_answer *on_answer = a->on_answer;
    void *user = a->user;
    (void)asking_cancel(a);
    on_answer(user, result, answer);
}

static void on_answer(void *user, int fd, uint32_t events) {
    char text[QUESTION_ANSWER_MAX_BYTES + 1];
    struct asking *a = user;
    (void)events;
    ssize_t n = recv(fd, text, sizeof text, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0)
        end(a, -errno, VIEW(""));
    else if (n == 0 || n > QUESTION_ANSWER_MAX_BYTES)
        end(a, -ENOMSG, VIEW(""));
    else
        end(a, 0, view_make(text, (size_t)n));
}

static void on_no_answer(void *user) {
    end(user, -ETIMEDOUT, VIEW(""));
}

static void on_failed(void *user) {
    struct asking *a = user;
    end(a, a->failure, VIEW(""));
}

/* A full listen queue is -EAGAIN: as good as nobody there. */
static int connect_and_send(struct asking *a, const char *path, struct view text) {
    struct sockaddr_un address;
    int r = address_of(path, &address);
    if (r < 0)
        return r;
    a->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (a->fd < 0 || connect(a->fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        send(a->fd, text.ptr, text.len, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR) < 0)
        return -errno;
    return 0;
}

int question_ask(struct loop *loop, const char *path, struct view text, question_on_answer *on_done, void *user,
                 struct asking **ret) {
    struct asking *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    *a = (struct asking){.fd = -1, .on_answer = on_done, .user = user};
    int r = loop_add_post(loop, on_failed, a, &a->post);
    if (r == 0)
        r = loop_add_timer(loop, on_no_answer, a, &a->deadline);
    if (r == 0 && (a->failure = connect_and_send(a, path, text)) == 0)
        r = loop_add_io(loop, a->fd, EPOLLIN, on_answer, a, &a->io);
    if (r < 0) {
        (void)asking_cancel(a);
        return r;
    }
    if (a->failure)
        loop_post(a->post);
    else
        loop_set_timer(a->deadline, clock_mono_usec() + QUESTION_DEADLINE_USEC);
    *ret = a;
    return 0;
}
