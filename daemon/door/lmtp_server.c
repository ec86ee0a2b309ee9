#include "door/lmtp_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/why.h"
#include "conf/conf.h"
#include "door/committer.h"
#include "door/lmtp.h"
#include "door/mail.h"
#include "inbound/reader.h"

#include "base/banned.h"

enum { SOCKETS_MAX = 8, REST_MSEC = 1000 };

struct connection {
    struct lmtp_server *server;
    pthread_t thread;
    int fd;
    enum { FREE, RUNNING, OVER } state; /* the server's mutex guards it */
};

struct lmtp_server {
    struct reader *reader;
    struct committer *committer;
    lmtp_on_conf *on_conf;
    void *user;
    int signals, wake; /* -1: not open */
    pthread_mutex_t mutex;
    struct connection connections[LMTP_CONNECTIONS_MAX];
};

/* Blocked in every thread, and in the readers, which are to go on until they are not needed. */
static int open_signals(void) {
    sigset_t end;
    (void)sigemptyset(&end); /* neither of these fails for signals that exist */
    (void)sigaddset(&end, SIGTERM);
    (void)sigaddset(&end, SIGINT);
    int r = pthread_sigmask(SIG_BLOCK, &end, NULL);
    int fd = r == 0 ? signalfd(-1, &end, SFD_CLOEXEC) : -1;
    return r != 0 ? -r : fd < 0 ? -errno : fd;
}

int lmtp_server_new(const char *folder, lmtp_on_conf *on_conf, void *user, struct why *why, struct lmtp_server **ret) {
    struct lmtp_server *s = calloc(1, sizeof *s);
    if (!s)
        return why_set(why, -ENOMEM, "out of memory");
    s->on_conf = on_conf;
    s->user = user;
    (void)pthread_mutex_init(&s->mutex, NULL); /* does not fail on Linux */
    s->signals = open_signals();
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r = s->signals < 0 ? s->signals : s->wake < 0 ? -errno : reader_new(&s->reader);
    if (r == 0)
        r = committer_new(folder, &s->committer);
    if (r < 0) {
        (void)lmtp_server_free(s);
        return why_set(why, r, "cannot start: %s", strerror(-r));
    }
    *ret = s;
    return 0;
}

struct lmtp_server *lmtp_server_free(struct lmtp_server *s) {
    if (!s)
        return NULL;
    (void)reader_free(s->reader);
    (void)committer_free(s->committer);
    if (s->signals >= 0)
        (void)close(s->signals); /* only read from */
    if (s->wake >= 0)
        (void)close(s->wake); /* the same */
    (void)pthread_mutex_destroy(&s->mutex);
    free(s);
    return NULL;
}

/* ---- one connection ---- */

static void serve(struct lmtp_server *s, int fd) {
    static const char later[] = "421 4.3.0 Not now, try again\r\n";
    struct mail_door *door = NULL;
    struct why why;
    struct conf *conf = s->on_conf(s->user);
    if (conf && mail_door_new(conf, s->reader, s->committer, &why, &door) < 0)
        log_why(LOG_ERR, "not-started", &why);
    if (door)
        (void)lmtp_serve(door, fd, fd); /* the client has gone, in one way or another */
    else
        (void)!write(fd, later, sizeof later - 1); /* the same */
    (void)mail_door_free(door);
    (void)conf_unref(conf);
}

static void *on_connection(void *user) {
    struct connection *c = user;
    serve(c->server, c->fd);
    (void)pthread_mutex_lock(&c->server->mutex); /* a plain mutex that this thread does not hold: cannot fail */
    (void)close(c->fd);                          /* all was said */
    c->state = OVER;
    (void)pthread_mutex_unlock(&c->server->mutex);
    (void)eventfd_write(c->server->wake, 1); /* it counts to more than there are connections */
    return NULL;
}

/* ---- all of them ---- */

/* A place for one more, or NULL. */
static struct connection *find_place(struct lmtp_server *s) {
    struct connection *found = NULL;
    (void)pthread_mutex_lock(&s->mutex); /* as above */
    for (size_t i = 0; i < LMTP_CONNECTIONS_MAX; i++) {
        struct connection *c = &s->connections[i];
        if (c->state == OVER) {
            (void)pthread_join(c->thread, NULL); /* it was created, and is joined once */
            c->state = FREE;
        }
        if (c->state == FREE)
            found = c;
    }
    (void)pthread_mutex_unlock(&s->mutex);
    return found;
}

/* 0, or why nothing can be taken just now. */
static int begin(struct lmtp_server *s, struct connection *c, int listening) {
    const struct timeval slow = {.tv_sec = LMTP_WAIT_SECONDS};
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ? 0 : -errno;
    /* A client that reads no answers. Where it cannot be set it is only waited for. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &slow, sizeof slow);
    c->server = s;
    c->fd = fd;
    c->state = RUNNING; /* no thread sees it yet */
    int r = -pthread_create(&c->thread, NULL, on_connection, c);
    if (r < 0) {
        (void)close(fd); /* nothing was said: the client tries again */
        c->state = FREE;
    }
    return r;
}

/* Reading is over for all; what was read whole is taken and answered. */
static void end_all(struct lmtp_server *s) {
    struct connection *left[LMTP_CONNECTIONS_MAX];
    size_t count = 0;
    (void)pthread_mutex_lock(&s->mutex); /* as above */
    for (size_t i = 0; i < LMTP_CONNECTIONS_MAX; i++) {
        struct connection *c = &s->connections[i];
        if (c->state == RUNNING)
            (void)shutdown(c->fd, SHUT_RD); /* it may be over */
        if (c->state != FREE)
            left[count++] = c;
    }
    (void)pthread_mutex_unlock(&s->mutex);
    for (size_t i = 0; i < count; i++) {
        (void)pthread_join(left[i]->thread, NULL); /* as above */
        left[i]->state = FREE;
    }
}

int lmtp_server_run(struct lmtp_server *s, int first, int count, struct why *why) {
    struct pollfd p[2 + SOCKETS_MAX] = {{.fd = s->signals, .events = POLLIN}, {.fd = s->wake, .events = POLLIN}};
    int sockets = count < SOCKETS_MAX ? count : SOCKETS_MAX, r = 0;
    for (int i = 0; i < sockets; i++)
        if (fcntl(first + i, F_SETFL, O_NONBLOCK) < 0)
            return why_set(why, -errno, "socket %d cannot be served: %s", i + 1, strerror(errno));
    for (;;) {
        struct connection *c = find_place(s);
        for (int i = 0; i < sockets; i++)
            p[2 + i] = (struct pollfd){.fd = c && r == 0 ? first + i : -1, .events = POLLIN};
        int n = poll(p, (nfds_t)(2 + sockets), r < 0 ? REST_MSEC : -1);
        r = n < 0 && errno != EINTR ? -errno : 0;
        if (n > 0 && p[0].revents)
            break;
        eventfd_t ended;
        (void)eventfd_read(s->wake, &ended); /* find_place() sees who */
        for (int i = 0; n > 0 && c && i < sockets; i++)
            if (p[2 + i].revents) {
                r = begin(s, c, first + i);
                c = find_place(s);
            }
        if (r < 0)
            log_error("connections-not-accepted", LOG_TEXT("reason", strerror(-r)));
    }
    end_all(s);
    return 0;
}
