#include "conn.h"
#include "command.h"
#include "message.h"
#include "reply.h"
#include "tls.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct conn *conns;
static struct conn *active;
int epfd;

char *bytes_room(struct bytes *b, size_t len) {
    if (b->off == b->len)
        b->off = b->len = 0;
    if (b->len + len > b->cap) {
        b->cap = (b->len + len) * 2;
        b->p = need(realloc(b->p, b->cap));
    }
    return b->p + b->len;
}

void bytes_add(struct bytes *b, const void *p, size_t len) {
    if (len == 0)
        return;
    memcpy(bytes_room(b, len), p, len);
    b->len += len;
}

void conn_violation(const struct conn *c, const char *what) {
    if (counts.violations++ == 0)
        snprintf(counts.first, sizeof counts.first, "%s", what);
    if (counts.violations <= 100)
        fprintf(stderr, "sink: connection %lu: violation: %s\n", c->number, what);
}

void conn_wake(struct conn *c) {
    if (!c->active) {
        c->active = true;
        c->next_active = active;
        active = c;
    }
}

void conn_watch(struct conn *c, uint32_t events) {
    if (c->full)
        events = (events & ~(uint32_t)EPOLLIN) | EPOLLRDHUP;
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (c->events != events && epoll_ctl(epfd, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &e) < 0)
        die("epoll: %s", strerror(errno));
    c->events = events;
}

void conn_drop(struct conn *c) {
    c->dead = true;
    conn_wake(c);
}

static void conn_free(struct conn *c) {
    counts.open--;
    if (c->prev)
        c->prev->next = c->next;
    else
        conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    SSL_free(c->ssl);
    close(c->fd);
    free(c->in.p);
    free(c->out.p);
    free(c->bdat.p);
    free(c->chunks);
    free(c);
}

void conn_flush_all(void) {
    while (active) {
        message_flush_ledger();
        struct conn *list = active;
        active = NULL;
        while (list) {
            struct conn *c = list;
            list = c->next_active;
            c->active = false;
            if (!c->dead)
                reply_flush(c);
            if (c->dead && !c->active)
                conn_free(c);
        }
    }
}

void conn_open(int fd) {
    struct conn *c = need(calloc(1, sizeof *c));
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->fd = fd;
    c->number = ++counts.connections;
    if (++counts.open > counts.most_open)
        counts.most_open = counts.open;
    c->next = conns;
    if (conns)
        conns->prev = c;
    conns = c;
    conn_watch(c, EPOLLIN);
    if (opt.smtps)
        tls_begin(c);
    else
        command_greet(c);
}

int64_t conn_wake_due(void) {
    int64_t next = -1;
    for (struct conn *c = conns; c; c = c->next)
        if (c->chunk_first < c->chunk_count) {
            int64_t due = c->chunks[c->chunk_first].due;
            if (due <= now && !(c->events & EPOLLOUT))
                conn_wake(c);
            else if (due > now && (next < 0 || due < next))
                next = due;
        }
    return next;
}
