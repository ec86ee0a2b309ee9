#include "send/hello.h"

#include <string.h>

#include "base/buf.h"
#include "base/number.h"

#include "base/banned.h"

void hello_init(struct hello *h) {
    *h = (struct hello){0};
    reply_init(&h->reply);
    reply_init(&h->ehlo);
}

static void learn(struct capabilities *to, struct view line) {
    struct view keyword = view_slice(line, 0, view_find(line, ' '));
    struct view value = view_trim(view_slice(line, keyword.len, line.len));
    if (view_eq_nocase(keyword, "PIPELINING"))
        to->pipelining = true;
    else if (view_eq_nocase(keyword, "CHUNKING"))
        to->chunking = true;
    else if (view_eq_nocase(keyword, "8BITMIME"))
        to->eightbit = true;
    else if (view_eq_nocase(keyword, "SMTPUTF8"))
        to->smtputf8 = true;
    else if (view_eq_nocase(keyword, "ENHANCEDSTATUSCODES"))
        to->enhanced = true;
    else if (view_eq_nocase(keyword, "SIZE")) {
        to->size = true;
        if (number_parse_u64(value, UINT64_MAX, &to->size_bytes) < 0)
            to->size_bytes = 0;
    }
}

static void keep_reply(struct reply *r, struct view rest) {
    while (rest.len) {
        size_t taken;
        if (r->complete)
            reply_init(r);
        if (reply_feed(r, rest, &taken) < 0) {
            reply_init(r);
            return;
        }
        rest = view_slice(rest, taken, rest.len);
    }
}

bool hello_feed(struct hello *h, struct view line) {
    keep_reply(&h->reply, line);
    if (h->reply.complete && h->replies++ == 0 && h->reply.code / 100 != 2)
        h->ehlo = h->reply;
    line = view_trim(line);
    if (view_starts(line, "220")) {
        h->offers = (struct capabilities){0};
        h->lines = h->replies = 0;
        reply_init(&h->ehlo);
    } else if (view_starts(line, "235")) {
        h->authenticated = true;
    } else if (view_starts(line, "250")) {
        if (h->lines++ > 0)
            learn(&h->offers, view_slice(line, 4, line.len));
    }
    return h->lines <= HELLO_LINES_MAX;
}

bool hello_refused_for_now(const struct hello *h) {
    return h->reply.complete && h->reply.code >= 400 && h->reply.code < 500;
}

bool hello_refused_for_good(const struct hello *h) {
    return h->reply.complete && h->reply.code >= 500;
}

bool hello_is_missing(const struct hello *h) {
    return h->ehlo.complete && h->ehlo.code < 500;
}

bool hello_is_confused(const struct hello *h) {
    return h->replies > 1 && !h->ehlo.complete && h->reply.complete && h->reply.code < 400;
}

void hello_fail(const struct reply *r, struct outcome *o, enum outcome_subject subject, const char *what) {
    AUTOBUF struct buf text = BUF_INIT(2048);
    buf_puts(&text, what);
    if (r->complete && r->code) {
        buf_printf(&text, " (%u", r->code);
        if (r->status[0] && strncmp(r->text, r->status, strlen(r->status)) != 0)
            buf_printf(&text, " %s", r->status);
        buf_printf(&text, "%s%s)", r->text[0] ? " " : "", r->text);
    }
    outcome_set(o, OUTCOME_DEFERRED, subject, buf_str(&text));
    if (r->complete) {
        o->code = r->code;
        memcpy(o->status, r->status, sizeof o->status);
    }
}
