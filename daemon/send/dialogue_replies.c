/* The dialogue: what the relay says, and what the end of the connection means for messages. */
#include "send/dialogue_inside.h"

#include <errno.h>

#include "base/banned.h"

static int lose_count(struct dialogue *d, const char *what) {
    AUTOBUF struct buf text = BUF_INIT(1024);
    buf_printf(&text, "the relay broke the protocol: %s", what);
    if (d->reply.complete)
        buf_printf(&text, " (%u %s)", d->reply.code, d->reply.text);
    d->over = true;
    outcome_set(&d->fault, OUTCOME_DEFERRED, OUTCOME_OF_CONNECTION, buf_str(&text));
    return -EPROTO;
}

static bool is_sent(const struct dialogue *d, const struct letter *l) {
    return l->state == LETTER_CONTENT && l->end_at <= d->out.handed;
}

/* After a 421 the relay closes. Where messages wait for a reply, it is worth knowing that it does. */
static int closing(struct dialogue *d) {
    bool at_stake = false;
    for (unsigned i = 0; i < d->count; i++)
        at_stake |= is_sent(d, dialogue_letter(d, i));
    AUTOBUF struct buf text = BUF_INIT(1024);
    d->hung_up = true;
    d->over = !at_stake;
    buf_printf(&text, "the relay closed the connection (421 %s%s%s)", d->reply.status, d->reply.status[0] ? " " : "",
               d->reply.text);
    outcome_set(&d->fault, OUTCOME_DEFERRED, OUTCOME_OF_CONNECTION, buf_str(&text));
    d->fault.code = d->reply.code;
    memcpy(d->fault.status, d->reply.status, sizeof d->fault.status);
    return at_stake ? 0 : -EPROTO;
}

/* That MAIL is not taken on a connection that served a message before: it is that connection's end. Since each serves
 * one at least, this comes to an end. */
static bool is_late(const struct dialogue *d, const struct letter *l, enum reply_stage stage) {
    return stage == REPLY_MAIL && d->served && l->outcome.subject == OUTCOME_OF_CONNECTION &&
           (d->reply.code == 421 || reply_ends_session(&d->reply));
}

/* The first failure is the message's outcome. */
static void fail(struct dialogue *d, struct letter *l, enum reply_stage stage) {
    if (!l->failed) {
        reply_outcome(&d->reply, stage, &l->outcome);
        l->late = is_late(d, l, stage);
        d->retired |= l->late;
    }
    l->failed = true;
    d->needs_rset = true;
}

static int on_envelope_reply(struct dialogue *d, struct letter *l, enum reply_stage stage) {
    if (d->reply.code / 100 == 3)
        return lose_count(d, "a 3xx to MAIL or RCPT");
    d->served |= stage == REPLY_RCPT && !l->failed;
    if (d->reply.code / 100 != 2)
        fail(d, l, stage);
    if (d->mode != MODE_STEPS)
        return 0;
    if (l->failed)
        dialogue_finish(d, l, &l->outcome);
    else if (stage == REPLY_MAIL)
        dialogue_say_rcpt(d, l);
    else
        dialogue_say_data(d, l);
    return 0;
}

static int on_data_reply(struct dialogue *d, struct letter *l) {
    if (d->reply.code / 100 == 2)
        return lose_count(d, "a 2xx to DATA");
    d->data_open = false;
    if (d->reply.code / 100 != 3) {
        fail(d, l, REPLY_DATA);
        dialogue_finish(d, l, &l->outcome);
    } else if (l->failed) {
        dialogue_clear(&l->body);
        dialogue_say(d, VIEW(".\r\n")); /* 354 though nobody is to get it (RFC 2920 §3.1) */
        dialogue_expect_end(d, l);
    } else {
        dialogue_say_body(d, l);
    }
    return 0;
}

static int on_end_reply(struct dialogue *d, struct letter *l) {
    unsigned first = d->reply.code / 100;
    d->answered = true;
    if (first != 2)
        fail(d, l, REPLY_END);
    else if (d->window < d->most)
        d->window++;
    if (!l->failed)
        reply_outcome(&d->reply, REPLY_END, &l->outcome);
    int r = first == 3 ? lose_count(d, "a 3xx to the end of a message") : 0;
    dialogue_finish(d, l, &l->outcome);
    return r;
}

static int on_reply(struct dialogue *d) {
    if (d->expected_count == 0 || d->expected[d->expected_first].from >= d->out.handed)
        return d->reply.code == 421 ? closing(d) : lose_count(d, "it said what nobody asked");
    struct expected e = d->expected[d->expected_first];
    struct letter *l = e.letter;
    bool early = e.at > d->out.handed, refused = d->reply.code >= 400;
    d->expected_first = (d->expected_first + 1) % EXPECTED_MAX;
    d->expected_count--;
    if (l)
        l->heard = true;
    if (early && !refused)
        return lose_count(d, "it answered before it was asked");
    if (early || d->reply.code == 421) {
        int r = d->reply.code == 421 ? closing(d) : lose_count(d, "it answered before the message was whole");
        if (l) {
            fail(d, l, e.stage);
            dialogue_finish(d, l, &l->outcome);
        }
        return r;
    }
    switch (e.stage) {
    case REPLY_MAIL:
    case REPLY_RCPT: return on_envelope_reply(d, l, e.stage);
    case REPLY_DATA: return on_data_reply(d, l);
    case REPLY_END: return on_end_reply(d, l);
    case REPLY_RSET: return d->reply.code / 100 == 2 ? 0 : lose_count(d, "it refused RSET");
    case REPLY_QUIT: d->quit = d->over = true; return 0;
    case REPLY_GREETING:
    case REPLY_EHLO:
    case REPLY_STARTTLS:
    case REPLY_AUTH: break; /* libcurl's */
    }
    return 0;
}

int dialogue_feed(struct dialogue *d, struct view bytes) {
    while (bytes.len && !d->over) {
        size_t taken;
        if (d->hung_up) {
            d->hung_up = false;
            return lose_count(d, "it went on after 421");
        }
        if (reply_feed(&d->reply, bytes, &taken) < 0)
            return lose_count(d, "what it says is no reply");
        bytes = view_slice(bytes, taken, bytes.len);
        if (!d->reply.complete)
            break;
        d->replies++;
        int r = on_reply(d);
        reply_init(&d->reply);
        if (r < 0)
            return r;
    }
    return 0;
}

unsigned dialogue_replies(const struct dialogue *d) {
    return d->replies;
}

const struct outcome *dialogue_fault(const struct dialogue *d) {
    return &d->fault;
}

bool dialogue_awaits(const struct dialogue *d, enum reply_stage *ret_stage) {
    if (d->hung_up && !d->over) {
        *ret_stage = REPLY_QUIT;
        return true;
    }
    if (d->expected_count == 0 || d->over)
        return false;
    const struct expected *e = &d->expected[d->expected_first];
    *ret_stage = e->stage;
    return e->at <= d->out.handed;
}

/* ---- the end ---- */

void dialogue_ended(struct dialogue *d) {
    d->ended = true;
    d->over = true;
}

void dialogue_lost(struct dialogue *d, const char *text) {
    d->over = true;
    bool explained = d->answered || d->hung_up; /* something else than the first message may have cost the connection */
    unsigned count = d->count, first = d->first;
    AUTOBUF struct buf doubt = BUF_INIT(1024);
    buf_printf(&doubt, "nobody knows whether the relay took it: %s", text);
    for (unsigned i = 0; i < count; i++) {
        struct letter *l = &d->letters[(first + i) % d->most];
        struct outcome o;
        if (l->state == LETTER_DONE) {
            continue;
        } else if (l->failed) {
            dialogue_finish(d, l, &l->outcome);
        } else if (is_sent(d, l) && !(d->hung_up && d->ended)) {
            explained = true;
            outcome_set(&o, OUTCOME_IN_DOUBT, OUTCOME_OF_CONNECTION, buf_str(&doubt));
            dialogue_finish(d, l, &o);
        } else if (l->state == LETTER_WAITING || (explained && !l->heard)) {
            dialogue_give_back(d, l);
        } else {
            explained = true;
            outcome_set(&o, OUTCOME_DEFERRED, OUTCOME_OF_CONNECTION, text);
            dialogue_finish(d, l, &o);
        }
    }
}
