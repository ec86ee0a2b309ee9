#include "input.h"
#include "command.h"
#include "message.h"
#include "reply.h"
#include "tls.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

enum {
    READ_SIZE = 64 * 1024,
    /* What is left of the last read stands before the next one in a buffer that all share; where there is more, it stays
     * where it is and the next one is read behind it. */
    LEFT_SIZE = 16 * 1024,
    END_SIZE = 5, /* CRLF.CRLF */
};

static bool body_rule(struct conn *c, size_t bytes) {
    if (c->body_ruled || bytes == 0)
        return false;
    struct rule *r = rule_for(c, STAGE_body, bytes);
    if (!r)
        return false;
    c->body_ruled = true;
    reply_as_told(c, r, "250 2.0.0 early");
    c->full = r->action == ACTION_say;
    return c->mode == MODE_DEAF;
}

/* The first CRLF.CRLF, or NULL. A line rarely begins with a dot: 16 octets at a time are passed over where none does. */
static const char *find_dot(const char *p, size_t len) {
    typedef unsigned char v16 __attribute__((vector_size(16)));
    const char *end = p + len;
    while (p + END_SIZE <= end) {
        if (p + 18 <= end) {
            v16 lf, dot;
            uint64_t any[2];
            memcpy(&lf, p + 1, 16);
            memcpy(&dot, p + 2, 16);
            v16 both = (v16)(lf == '\n') & (v16)(dot == '.');
            memcpy(any, &both, 16);
            if (!(any[0] | any[1])) {
                p += 16;
                continue;
            }
        }
        const char *stop = p + 16;
        for (; p < stop && p + END_SIZE <= end; p++)
            if (memcmp(p, "\r\n.\r\n", END_SIZE) == 0)
                return p;
    }
    return NULL;
}

static void take_from(struct conn *c, size_t n) {
    c->at += n;
    c->left -= n;
}

/* True where something was taken; so with all below. */
static bool take_data(struct conn *c) {
    if (body_rule(c, c->body + c->left))
        return false;
    const char *end = NULL;
    if (c->body == 0 && c->left >= 3 && memcmp(c->at, ".\r\n", 3) == 0) {
        end = c->at;
    } else {
        size_t from = c->scanned >= END_SIZE ? c->scanned - (END_SIZE - 1) : 0;
        end = find_dot(c->at + from, c->left - from);
        end = end ? end + 2 : NULL;
        c->scanned = c->left;
    }
    if (end) {
        size_t n = (size_t)(end - c->at);
        message_end(c, opt.count ? NULL : c->at, c->body + n, true);
        take_from(c, n + 3);
        return true;
    }
    if (opt.count && c->left >= END_SIZE) {
        c->body += c->left - (END_SIZE - 1);
        take_from(c, c->left - (END_SIZE - 1));
        c->scanned = 0;
    }
    return false;
}

static bool take_bdat(struct conn *c) {
    size_t n = c->left < c->bdat_left ? c->left : c->bdat_left;
    const char *p = c->at;
    if (body_rule(c, c->body + n))
        return false;
    c->body += n;
    c->bdat_left -= n;
    bool whole = c->body == n && c->bdat_left == 0 && c->bdat_last;
    if (!c->bdat_failed && !opt.count && !whole)
        bytes_add(&c->bdat, p, n);
    take_from(c, n);
    if (c->bdat_left)
        return true;
    c->mode = MODE_COMMAND;
    if (c->bdat_failed) {
        reply_line(c, "503 5.5.1 no valid recipients", AFTER_NOTHING);
        counts.refused++;
        message_reset(c);
    } else if (c->bdat_last) {
        message_end(c, opt.count ? NULL : whole ? p : c->bdat.p, c->body, false);
    } else {
        reply_line(c, "250 2.0.0 go on", AFTER_NOTHING);
    }
    return true;
}

static bool take_line(struct conn *c) {
    char *p = c->at, *lf = memchr(p, '\n', c->left);
    if (!lf) {
        if (c->left > 4096)
            conn_violation(c, "an endless command"), reply_last(c, AFTER_CLOSE);
        return false;
    }
    size_t n = (size_t)(lf - p) + 1;
    if (n < 2 || lf[-1] != '\r')
        conn_violation(c, "a command that ends with a bare LF");
    lf[n >= 2 && lf[-1] == '\r' ? -1 : 0] = '\0';
    if (n > 1000)
        conn_violation(c, "a long command");
    take_from(c, n);
    bool group_ends = strncasecmp(p, "DATA", 4) == 0 || strncasecmp(p, "EHLO", 4) == 0 ||
                      strncasecmp(p, "QUIT", 4) == 0 || strncasecmp(p, "NOOP", 4) == 0;
    bool is_bdat = strncasecmp(p, "BDAT", 4) == 0;
    if (c->mode == MODE_AUTH)
        command_auth(c, p);
    else
        command_run(c, p);
    if (c->left && c->mode == MODE_COMMAND && !is_bdat) {
        if (group_ends)
            conn_violation(c, "octets behind a command that ends a group");
        else if (!command_offers("PIPELINING"))
            conn_violation(c, "pipelining that was not offered");
    }
    if (c->left && c->mode == MODE_DATA)
        conn_violation(c, "message octets before the 354");
    return true;
}

static bool take(struct conn *c) {
    switch (c->mode) {
    case MODE_DEAF: take_from(c, c->left); return false;
    case MODE_DATA: return c->left && take_data(c);
    case MODE_BDAT: return (c->left || !c->bdat_left) && take_bdat(c);
    case MODE_COMMAND:
    case MODE_AUTH: return c->left && take_line(c);
    }
    return false;
}

/* Octets read; 0 where there are none now, -1 where there will be none. */
static ssize_t receive(struct conn *c, char *to) {
    if (c->ssl) {
        int n = SSL_read(c->ssl, to, READ_SIZE);
        return n > 0 ? n : tls_wants(c, n) ? 0 : -1;
    }
    int one = 1;
    ssize_t n = recv(c->fd, to, READ_SIZE, 0);
    if (opt.quickack)
        (void)setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
    return n > 0 ? n : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static ssize_t pull(struct conn *c) {
    static char shared[LEFT_SIZE + READ_SIZE];
    size_t left = c->in.len;
    bool own = left > LEFT_SIZE;
    char *begin = own ? bytes_room(&c->in, READ_SIZE) - left : shared;
    ssize_t n = receive(c, begin + left);
    if (n <= 0)
        return n;
    if (!own && left)
        memcpy(begin, c->in.p, left);
    c->round_in = c->round_out + 1;
    c->at = begin;
    c->left = left + (size_t)n;
    while (!c->dead && take(c))
        ;
    c->in.len = 0;
    if (own)
        memmove(c->in.p, c->at, c->left), c->in.len = c->left;
    else
        bytes_add(&c->in, c->at, c->left);
    return n;
}

void input_read(struct conn *c) {
    if (c->full)
        conn_drop(c); /* nothing else wakes it */
    if (c->handshake)
        tls_step(c);
    while (!c->dead && !c->handshake && !c->full) {
        ssize_t n = pull(c);
        if (n < 0)
            conn_drop(c);
        if (n <= 0 || (n < READ_SIZE && !c->ssl))
            break;
    }
}
