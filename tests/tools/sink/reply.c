#include "reply.h"
#include "tls.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static void reply_at(struct conn *c, int64_t due, const void *p, size_t len, enum after after) {
    struct chunk *last = c->chunk_count > c->chunk_first ? &c->chunks[c->chunk_count - 1] : NULL;
    if (last && due < last->due)
        due = last->due;
    bytes_add(&c->out, p, len);
    if (last && last->due == due && last->after == AFTER_NOTHING) {
        last->len += len;
        last->round = c->round_in;
        last->after = after;
    } else {
        if (c->chunk_first == c->chunk_count)
            c->chunk_first = c->chunk_count = 0;
        if (c->chunk_count == c->chunk_room) {
            c->chunk_room = c->chunk_room ? c->chunk_room * 2 : 4;
            c->chunks = need(realloc(c->chunks, c->chunk_room * sizeof *c->chunks));
        }
        c->chunks[c->chunk_count++] = (struct chunk){due, len, c->round_in, after};
    }
    conn_wake(c);
}

void reply_put(struct conn *c, const void *p, size_t len, enum after after) {
    reply_at(c, now + opt.delay_usec + c->extra_usec, p, len, after);
}

void reply_line(struct conn *c, const char *text, enum after after) {
    reply_put(c, text, strnlen(text, 1000), AFTER_NOTHING);
    reply_put(c, "\r\n", 2, after);
}

/* One octet each two milliseconds. */
static void reply_split(struct conn *c, const char *text) {
    char line[1200];
    int len = snprintf(line, sizeof line, "%.1000s\r\n", text);
    for (int i = 0; i < len; i++)
        reply_at(c, now + opt.delay_usec + i * 2000, line + i, 1, AFTER_NOTHING);
}

void reply_last(struct conn *c, enum after after) {
    c->mode = MODE_DEAF;
    reply_put(c, "", 0, after);
}

int reply_as_told(struct conn *c, const struct rule *r, const char *normal) {
    if (!r) {
        reply_line(c, normal, AFTER_NOTHING);
        return normal[0] - '0';
    }
    switch (r->action) {
    case ACTION_COUNT:
    case ACTION_reply:
        reply_line(c, r->text, strncmp(r->text, "421", 3) == 0 ? AFTER_CLOSE : AFTER_NOTHING);
        if (strncmp(r->text, "421", 3) == 0)
            c->mode = MODE_DEAF;
        return r->text[0] - '0';
    case ACTION_say: reply_put(c, r->text, r->text_len, AFTER_NOTHING); return r->text[0] - '0';
    case ACTION_extra:
        reply_line(c, normal, AFTER_NOTHING);
        reply_put(c, r->text, r->text_len, AFTER_NOTHING);
        return normal[0] - '0';
    case ACTION_delay:
        c->extra_usec = (int64_t)strtoul(r->text, NULL, 10) * 1000;
        reply_line(c, normal, AFTER_NOTHING);
        c->extra_usec = 0;
        return normal[0] - '0';
    case ACTION_split: reply_split(c, normal); return normal[0] - '0';
    case ACTION_stall: c->mode = MODE_DEAF; return 0;
    case ACTION_close: reply_last(c, AFTER_CLOSE); return 0;
    case ACTION_last:
        reply_line(c, r->text, AFTER_CLOSE);
        c->mode = MODE_DEAF;
        return 0;
    case ACTION_reset: reply_last(c, AFTER_RESET); return 0;
    case ACTION_half_close: reply_last(c, AFTER_HALF_CLOSE); return 0;
    case ACTION_accept_close: reply_last(c, AFTER_CLOSE); return 2;
    case ACTION_accept_reset: reply_last(c, AFTER_RESET); return 2;
    case ACTION_accept_stall: c->mode = MODE_DEAF; return 2;
    case ACTION_garbage: reply_put(c, "\0\377\200 nonsense\r\n\r\n", 16, AFTER_NOTHING); return 0;
    case ACTION_huge_line: {
        static char line[1 << 20];
        memset(line, 'x', sizeof line);
        memcpy(line, "250 ", 4);
        reply_put(c, line, sizeof line, AFTER_NOTHING);
        return 0;
    }
    case ACTION_endless:
        c->endless = true;
        c->mode = MODE_DEAF;
        conn_wake(c);
        return 0;
    }
    return 0;
}

int reply_normal(struct conn *c, enum stage stage, const char *normal) {
    return reply_as_told(c, rule_for(c, stage, 0), normal);
}

/* Octets written; 0 where the socket is full; -1 where the connection is gone. */
static ssize_t push(struct conn *c, const char *p, size_t len) {
    if (c->ssl && !c->handshake) {
        int n = SSL_write(c->ssl, p, (int)len);
        return n > 0 ? n : tls_wants(c, n) ? 0 : -1;
    }
    ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);
    return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static void finish_chunk(struct conn *c, enum after after) {
    switch (after) {
    case AFTER_NOTHING: break;
    case AFTER_TLS: tls_begin(c); break;
    case AFTER_CLOSE: conn_drop(c); break;
    case AFTER_HALF_CLOSE: (void)shutdown(c->fd, SHUT_WR); break;
    case AFTER_RESET: {
        struct linger hard = {.l_onoff = 1};
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        conn_drop(c);
        break;
    }
    }
}

void reply_flush(struct conn *c) {
    if (c->endless && c->chunk_first == c->chunk_count)
        for (int i = 0; i < 500; i++)
            reply_line(c, "250-and so on", AFTER_NOTHING);
    while (!c->dead && c->chunk_first < c->chunk_count && c->chunks[c->chunk_first].due <= now) {
        struct chunk *k = &c->chunks[c->chunk_first];
        while (k->len) {
            ssize_t n = push(c, c->out.p + c->out.off, k->len);
            if (n < 0)
                conn_drop(c);
            if (n <= 0) {
                conn_watch(c, EPOLLIN | EPOLLOUT);
                return;
            }
            c->out.off += (size_t)n;
            k->len -= (size_t)n;
        }
        if (k->round > c->round_out) {
            counts.round_trips += k->round - c->round_out;
            c->round_out = k->round;
        }
        c->chunk_first++;
        finish_chunk(c, k->after);
    }
    conn_watch(c, c->endless ? EPOLLIN | EPOLLOUT : EPOLLIN);
}
