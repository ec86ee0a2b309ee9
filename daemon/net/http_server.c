#include "net/http_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"

#include "net/http_internal.h"
#include "net/loop.h"

#include "base/banned.h"

/* libmicrohttpd keeps the header, its parsed fields, the body's piece at hand and the answer's header in here. */
enum { POOL_BYTES = 3 * HTTP_HEADER_MAX_BYTES + 16 * 1024 };
enum { REFUSED_MAX = 3 };
static const int64_t rest_usec = 1 * USEC_PER_SEC;

/* ---- deadlines ---- */

static int64_t deadline_after(int64_t usec) {
    return usec > 0 ? clock_mono_usec() + usec : INT64_MAX;
}

/* One timer for all: set to the earliest when it must come sooner, looked at again when it fires. Deadlines that moved
 * away cost one firing at most, and without connections there is none. */
static void arm_deadline(struct http_server *s) {
    int64_t earliest = INT64_MAX;
    for (const struct http_connection *c = s->connections; c; c = c->next)
        if (c->deadline_mono_usec < earliest)
            earliest = c->deadline_mono_usec;
    if (earliest == INT64_MAX)
        loop_unset_timer(s->timer);
    else
        loop_set_timer(s->timer, earliest);
}

static void set_deadline(struct http_connection *c, int64_t usec) {
    c->deadline_mono_usec = deadline_after(usec);
    if (usec > 0 && !loop_timer_is_set(c->server->timer))
        arm_deadline(c->server);
}

void http_set_deadline(struct http_request *r, int64_t usec) {
    r->connection->deadline_mono_usec = deadline_after(usec);
    arm_deadline(r->connection->server);
}

/* libmicrohttpd offers no way to end a connection from outside; it sees the end of the socket. */
static void cut(struct http_connection *c) {
    c->deadline_mono_usec = INT64_MAX;
    c->cut = true;
    if (c->request)
        http_abort(c->request);
    (void)shutdown(c->fd, SHUT_RDWR); /* fails where the peer was faster */
}

static void on_deadline(void *user) {
    struct http_server *s = user;
    int64_t now = clock_mono_usec();
    for (struct http_connection *c = s->connections; c; c = c->next)
        if (c->deadline_mono_usec <= now)
            cut(c);
    arm_deadline(s);
}

/* ---- running libmicrohttpd ---- */

/* Without descriptors or memory nobody can be let in. While others are connected, libmicrohttpd waits for one of them
 * to go; alone it would try over and over: it rests instead. */
static void rest_where_nobody_gets_in(struct http_server *s) {
    struct pollfd listening = {.fd = s->listen_fd, .events = POLLIN};
    if (s->connection_count || s->draining || poll(&listening, 1, 0) != 1) {
        s->refused = 0;
        return;
    }
    if (++s->refused < REFUSED_MAX) /* one who came just now is let in by the next run */
        return;
    if (s->refused == REFUSED_MAX)
        log_error("connections-not-accepted", LOG_TEXT("todo", "Raise the limit of open files (LimitNOFILE=)"));
    (void)loop_set_io(s->io, 0); /* taking out cannot fail */
    loop_set_timer(s->rest, clock_mono_usec() + rest_usec);
}

static void on_rested(void *user) {
    struct http_server *s = user;
    if (loop_set_io(s->io, EPOLLIN) < 0)
        loop_set_timer(s->rest, clock_mono_usec() + rest_usec);
    loop_post(s->again);
}

static void run(struct http_server *s) {
    unsigned before = s->connection_count;
    (void)MHD_run(s->mhd); /* fails only for a daemon of another mode */
    if (before == 0)
        rest_where_nobody_gets_in(s);
    MHD_UNSIGNED_LONG_LONG timeout_msec;
    bool pending = MHD_get_timeout(s->mhd, &timeout_msec) == MHD_YES;
    /* At the limit the listening socket is not watched; it is taken up again at the begin of a run, not at its end. */
    if (pending || s->connection_count < before)
        loop_post(s->again);
}

static void on_io(void *user, int fd, uint32_t events) {
    (void)fd, (void)events;
    run(user);
}

static void on_again(void *user) {
    run(user);
}

/* ---- connections ---- */

static enum MHD_Result on_accept(void *cls, const struct sockaddr *address, socklen_t len) {
    const struct http_server *s = cls;
    struct remote peer = remote_of_socket(address, len);
    if (s->connections_per_source == 0 || peer.is_unix || remote_is_in(&peer, s->proxies, s->proxy_count))
        return MHD_YES;
    unsigned same = 0;
    for (const struct http_connection *c = s->connections; c; c = c->next)
        same += remote_is_same_source(&c->peer, &peer);
    return same < s->connections_per_source ? MHD_YES : MHD_NO;
}

static void connection_open(struct http_server *s, struct MHD_Connection *mhd, void **socket_context) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct http_connection *c = calloc(1, sizeof *c);
    if (!info || !c) {
        free(c);
        return; /* requests of a connection without context are refused */
    }
    c->server = s;
    c->mhd = mhd;
    c->fd = info->connect_fd;
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getpeername(c->fd, (struct sockaddr *)&address, &len) < 0)
        len = 0;
    c->peer = remote_of_socket((struct sockaddr *)&address, len);
    c->next = s->connections;
    if (c->next)
        c->next->link = &c->next;
    c->link = &s->connections;
    s->connections = c;
    s->connection_count++;
    *socket_context = c;
    set_deadline(c, s->deadline_usec);
}

static void connection_close(struct http_server *s, struct http_connection *c) {
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    free(c);
    if (--s->connection_count > 0)
        return;
    loop_unset_timer(s->timer);
    if (s->draining)
        loop_post(s->drained);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        connection_open(cls, mhd, socket_context);
    else if (*socket_context)
        connection_close(cls, *socket_context);
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode code) {
    struct http_request *r = *request;
    struct http_connection *c = r ? r->connection : NULL;
    http_on_completed(cls, mhd, request, code);
    if (c && !c->cut)
        set_deadline(c, c->server->deadline_usec);
}

/* ---- the server ---- */

static void on_drained(void *user) {
    struct http_server *s = user;
    void (*on_done)(void *) = s->on_drained;
    s->on_drained = NULL; /* once */
    if (on_done)
        on_done(s->drained_user);
}

static int copy_proxies(struct http_server *s, const struct http_limits *limits) {
    if (limits->proxy_count == 0)
        return 0;
    s->proxies = calloc(limits->proxy_count, sizeof *s->proxies);
    if (!s->proxies)
        return -ENOMEM;
    for (size_t i = 0; i < limits->proxy_count; i++) {
        int r = remote_parse_net(view_of(limits->proxies[i]), &s->proxies[i]);
        if (r < 0)
            return r;
        s->proxy_count++;
    }
    return 0;
}

static int start(struct http_server *s, int listen_fd, const struct http_limits *limits) {
    int flags = fcntl(listen_fd, F_GETFL);
    if (flags < 0 || fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    errno = 0;
    s->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, on_accept, s, http_on_access, s,
                              MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                              MHD_OPTION_CONNECTION_LIMIT, limits->connections, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
                              MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES, MHD_OPTION_URI_LOG_CALLBACK,
                              http_on_uri, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
                              MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_END);
    return s->mhd ? 0 : errno ? -errno : -EIO;
}

int http_server_new(struct loop *loop, int listen_fd, const struct http_limits *limits,
                    const struct http_handlers *handlers, void *user, struct http_server **ret) {
    AUTOCLOSE int owned_fd = listen_fd;
    struct http_server *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->loop = loop;
    s->handlers = *handlers;
    s->user = user;
    s->connections_per_source = limits->connections_per_source;
    s->deadline_usec = limits->request_deadline_usec;
    s->listen_fd = listen_fd;
    int r = copy_proxies(s, limits);
    if (r == 0)
        r = loop_add_timer(loop, on_deadline, s, &s->timer);
    if (r == 0)
        r = loop_add_post(loop, on_again, s, &s->again);
    if (r == 0)
        r = loop_add_timer(loop, on_rested, s, &s->rest);
    if (r == 0)
        r = loop_add_post(loop, on_drained, s, &s->drained);
    if (r == 0)
        r = start(s, listen_fd, limits);
    if (r == 0) {
        owned_fd = -1; /* now libmicrohttpd's */
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
        r = info ? loop_add_io(loop, info->epoll_fd, EPOLLIN, on_io, s, &s->io) : -EIO;
    }
    if (r < 0) {
        (void)http_server_free(s);
        return r;
    }
    loop_post(s->again); /* the listening socket is watched from the first run on */
    *ret = s;
    return 0;
}

struct http_server *http_server_free(struct http_server *s) {
    if (!s)
        return NULL;
    s->draining = false;
    for (struct http_connection *c = s->connections; c; c = c->next)
        cut(c);
    s->io = loop_remove(s->io); /* before the descriptor goes */
    if (s->mhd)
        MHD_stop_daemon(s->mhd);
    (void)loop_remove(s->timer);
    (void)loop_remove(s->rest);
    (void)loop_remove(s->again);
    (void)loop_remove(s->drained);
    free(s->proxies);
    free(s);
    return NULL;
}

void http_server_drain(struct http_server *s, void (*on_done)(void *user), void *user) {
    s->on_drained = on_done;
    s->drained_user = user;
    if (!s->draining) {
        int listen_fd = MHD_quiesce_daemon(s->mhd);
        if (listen_fd >= 0)
            (void)close(listen_fd); /* no more to be had of it */
    }
    s->draining = true;
    for (struct http_connection *c = s->connections; c; c = c->next) {
        int unread = 0;
        if (!c->request && (ioctl(c->fd, FIONREAD, &unread) < 0 || unread == 0))
            cut(c);
    }
    if (s->connection_count == 0)
        loop_post(s->drained);
}
