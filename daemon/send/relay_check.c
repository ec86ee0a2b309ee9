#include "send/relay_check.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "net/loop.h"
#include "send/connect.h"

enum { QUIT_USEC = 2 * USEC_PER_SEC };

struct relay_check {
    struct loop *loop;
    struct connection *connection;
    struct loop_source *timer, *io;
    relay_check_on_done *on_done;
    void *user;
    int64_t begun_usec;
    struct relay_check_result result;
};

static void finish(struct relay_check *c) {
    c->io = loop_remove(c->io);
    c->timer = loop_remove(c->timer);
    c->connection = connection_free(c->connection);
    c->on_done(c->user, &c->result);
}

/* It is judged already: what it says to QUIT changes nothing. */
static void on_farewell(void *user, int fd, uint32_t events) {
    (void)fd;
    (void)events;
    finish(user);
}

static void on_connected(void *user, struct connection *connection, const struct outcome *why) {
    struct relay_check *c = user;
    static const char quit[] = "QUIT\r\n";
    c->result.took_usec = clock_mono_usec() - c->begun_usec;
    c->result.good = why == NULL;
    if (why) {
        c->result.why = *why;
        finish(c);
        return;
    }
    c->result.tls = connection_is_tls(connection);
    if (connection_send(connection, quit, sizeof quit - 1) != sizeof quit - 1 ||
        loop_add_io(c->loop, connection_fd(connection), EPOLLIN, on_farewell, c, &c->io) < 0) {
        finish(c);
        return;
    }
    loop_set_timer(c->timer, clock_mono_usec() + QUIT_USEC);
}

static void on_deadline(void *user) {
    struct relay_check *c = user;
    if (!c->result.good) {
        c->result.took_usec = RELAY_CHECK_USEC;
        outcome_set(&c->result.why, OUTCOME_DEFERRED, OUTCOME_OF_CONNECTION,
                    "the relay was not ready for a message within 20 seconds");
    }
    finish(c);
}

int relay_check_new(struct loop *loop, struct connector *k, const struct conf *conf, const struct conf_relay *relay,
                    relay_check_on_done *on_done, void *user, struct relay_check **ret) {
    struct relay_check *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    *c = (struct relay_check){.loop = loop, .on_done = on_done, .user = user, .begun_usec = clock_mono_usec()};
    c->result.relay = relay;
    int r = loop_add_timer(loop, on_deadline, c, &c->timer);
    if (r == 0)
        r = connection_new(k, conf, relay, on_connected, c, &c->connection);
    if (r < 0) {
        (void)relay_check_free(c);
        return r;
    }
    loop_set_timer(c->timer, c->begun_usec + RELAY_CHECK_USEC);
    *ret = c;
    return 0;
}

struct relay_check *relay_check_free(struct relay_check *c) {
    if (c) {
        (void)loop_remove(c->io);
        (void)loop_remove(c->timer);
        (void)connection_free(c->connection);
        free(c);
    }
    return NULL;
}
