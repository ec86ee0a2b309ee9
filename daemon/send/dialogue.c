#include "send/dialogue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/text.h"
#include "send/outbox.h"
#include "send/stuff.h"

#include "base/banned.h"

#define LETTER_STATES(X) X(WAITING) X(ENVELOPE) X(CONTENT) X(DONE)
#define AS_STATE(name) LETTER_##name,
#define AS_NAME(name) #name,
enum letter_state { LETTER_STATES(AS_STATE) };
static const char *const letter_state_names[] = {LETTER_STATES(AS_NAME)};

struct letter {
    uint64_t cookie;
    enum letter_state state;
    bool heard;  /* a reply to one of its commands came */
    bool failed; /* and this is its outcome, once the replies that remain are in */
    bool late;   /* too late for this connection, and no more than that: it is given back instead */
    struct outcome outcome;
    uint64_t end_at; /* where in the output its last octet stands; 0: not yet there */
    size_t mail_len;
    struct buf envelope; /* MAIL and RCPT */
    struct buf body;     /* with its dot; unused under CHUNKING */
};

enum mode { MODE_STEPS, MODE_GROUPS, MODE_CHUNKS };

struct expected {
    enum reply_stage stage;
    struct letter *letter; /* NULL: RSET, QUIT */
    uint64_t from, at;     /* where in the output the command stands */
};

enum { EXPECTED_MAX = 4 * SESSION_IN_FLIGHT_MAX + 2 };

struct dialogue {
    const struct dialogue_handlers *handlers;
    void *user;
    struct capabilities offers;
    enum mode mode;
    unsigned most;   /* letters at once */
    unsigned window; /* as many of these as were taken before, and one: a relay that takes none has few in doubt */

    struct letter *letters; /* a ring of `most` */
    unsigned first, count;
    unsigned live;        /* of these, not DONE */
    bool data_open;       /* GROUPS: DATA was said, what follows hangs on its reply */
    bool needs_rset;      /* before the next MAIL */
    bool answered;        /* a message */
    bool served;          /* MAIL was taken and RCPT answered: the connection was good for something */
    bool retired;         /* it takes no more messages on this connection */
    bool quitting, quit;  /* QUIT was said; answered */
    bool over;            /* nothing more is said or heard */
    bool hung_up;         /* by 421: what was not answered was not taken either, if it closes now without a word */
    bool ended;           /* the relay closed the connection */
    struct outcome fault; /* why */

    struct expected expected[EXPECTED_MAX];
    unsigned expected_first, expected_count;
    struct reply reply;
    unsigned replies;

    struct outbox out;
    uint64_t asked; /* of what was queued there, what belongs to commands that are expected */
};

static void set_state(struct letter *l, enum letter_state state) {
    log_debug("letter", LOG_NUM("cookie", l->cookie), LOG_TEXT("from", letter_state_names[l->state]),
              LOG_TEXT("to", letter_state_names[state]));
    l->state = state;
}

int dialogue_new(const struct capabilities *offers, unsigned in_flight, size_t limit_bytes,
                 const struct dialogue_handlers *handlers, void *user, struct dialogue **ret) {
    struct dialogue *d = calloc(1, sizeof *d);
    if (!d)
        return -ENOMEM;
    d->handlers = handlers;
    d->user = user;
    d->offers = *offers;
    d->mode = !offers->pipelining ? MODE_STEPS : !offers->chunking ? MODE_GROUPS : MODE_CHUNKS;
    if (in_flight < 1)
        in_flight = 1;
    if (in_flight > SESSION_IN_FLIGHT_MAX)
        in_flight = SESSION_IN_FLIGHT_MAX;
    unsigned useful = d->mode == MODE_STEPS ? 1 : d->mode == MODE_GROUPS ? 2 : SESSION_IN_FLIGHT_MAX;
    d->most = in_flight < useful ? in_flight : useful;
    d->window = 1;
    d->letters = calloc(d->most, sizeof *d->letters);
    if (!d->letters) {
        free(d);
        return -ENOMEM;
    }
    size_t room = 2 * limit_bytes + 4096; /* dots at worst double it */
    for (unsigned i = 0; i < d->most; i++) {
        buf_init(&d->letters[i].envelope, 4096);
        buf_init(&d->letters[i].body, room);
        d->letters[i].state = LETTER_DONE;
    }
    outbox_init(&d->out, room * d->most);
    reply_init(&d->reply);
    *ret = d;
    return 0;
}

struct dialogue *dialogue_free(struct dialogue *d) {
    if (!d)
        return NULL;
    for (unsigned i = 0; i < d->most; i++) {
        buf_done(&d->letters[i].envelope);
        buf_done(&d->letters[i].body);
    }
    outbox_done(&d->out);
    free(d->letters);
    free(d);
    return NULL;
}

/* ---- output ---- */

struct view dialogue_output(struct dialogue *d) {
    struct view output = outbox_output(&d->out);
    return d->over || d->hung_up ? VIEW("") : output;
}

void dialogue_handed(struct dialogue *d, size_t len) {
    outbox_handed(&d->out, len);
}

/* Where half of something was said nothing sensible can follow. */
static void check_said(struct dialogue *d, int error) {
    if (error == 0 || d->over)
        return;
    d->over = true;
    outcome_set(&d->fault, OUTCOME_DEFERRED, OUTCOME_OF_CONNECTION, "out of memory");
}

static void say(struct dialogue *d, struct view text) {
    check_said(d, outbox_add(&d->out, text));
}

/* What was said since the last command is one. */
static void expect(struct dialogue *d, enum reply_stage stage, struct letter *l) {
    d->expected[(d->expected_first + d->expected_count++) % EXPECTED_MAX] =
        (struct expected){.stage = stage, .letter = l, .from = d->asked, .at = d->out.queued};
    d->asked = d->out.queued;
}

static void say_mail(struct dialogue *d, struct letter *l) {
    say(d, view_slice(buf_view(&l->envelope), 0, l->mail_len));
    expect(d, REPLY_MAIL, l);
}

static void say_rcpt(struct dialogue *d, struct letter *l) {
    say(d, view_slice(buf_view(&l->envelope), l->mail_len, l->envelope.len));
    expect(d, REPLY_RCPT, l);
}

static void say_data(struct dialogue *d, struct letter *l) {
    say(d, VIEW("DATA\r\n"));
    expect(d, REPLY_DATA, l);
    d->data_open = true;
}

/* The content was said. */
static void expect_end(struct dialogue *d, struct letter *l) {
    l->end_at = d->out.queued;
    expect(d, REPLY_END, l);
    set_state(l, LETTER_CONTENT);
}

static void say_body(struct dialogue *d, struct letter *l) {
    check_said(d, outbox_take(&d->out, &l->body));
    expect_end(d, l);
}

static void say_rset(struct dialogue *d) {
    say(d, VIEW("RSET\r\n"));
    expect(d, REPLY_RSET, NULL);
    d->needs_rset = false;
}

/* ---- messages ---- */

static struct letter *letter_at(const struct dialogue *d, unsigned i) {
    return &d->letters[(d->first + i) % d->most];
}

unsigned dialogue_in_flight(const struct dialogue *d) {
    return d->live;
}

unsigned dialogue_room(const struct dialogue *d) {
    return d->over || d->quitting || d->retired || d->hung_up || d->count >= d->window ? 0 : d->window - d->count;
}

static void clear(struct buf *b) {
    if (b->cap > OUTBOX_KEEP_MAX_BYTES)
        buf_done(b);
    else
        buf_clear(b);
}

/* The letter's slot is free for another before anyone is told. */
static void drop(struct dialogue *d, struct letter *l) {
    set_state(l, LETTER_DONE);
    d->live--;
    clear(&l->body);
    while (d->count && letter_at(d, 0)->state == LETTER_DONE) {
        d->first = (d->first + 1) % d->most;
        d->count--;
    }
}

static void give_back(struct dialogue *d, struct letter *l) {
    uint64_t cookie = l->cookie;
    drop(d, l);
    d->handlers->on_unsent(d->user, cookie);
}

static void finish(struct dialogue *d, struct letter *l, const struct outcome *outcome) {
    struct outcome o = *outcome;
    uint64_t cookie = l->cookie;
    if (l->late) {
        give_back(d, l);
        return;
    }
    drop(d, l);
    d->handlers->on_outcome(d->user, cookie, &o);
}

static bool is_path(struct view v) {
    for (size_t i = 0; i < v.len; i++) {
        unsigned char c = (unsigned char)v.ptr[i];
        if (c <= ' ' || c == 0x7F || c == '<' || c == '>')
            return false;
    }
    return v.len <= 320;
}

static void refuse(struct letter *l, enum outcome_subject subject, const char *status, const char *text) {
    l->failed = true;
    outcome_set(&l->outcome, OUTCOME_REFUSED, subject, text);
    memcpy(l->outcome.status, status, strlen(status) + 1);
}

/* What we know beforehand that the relay cannot take. */
static void foresee(const struct dialogue *d, struct letter *l, const struct envelope *e, size_t size) {
    if (e->needs_smtputf8 && !d->offers.smtputf8)
        refuse(l, OUTCOME_OF_RECIPIENT, "5.6.7", "the relay does not offer SMTPUTF8, which this address needs");
    else if (d->offers.size_bytes && size > d->offers.size_bytes)
        refuse(l, OUTCOME_OF_MESSAGE, "5.3.4", "the message is larger than the relay takes");
}

static int write_envelope(const struct dialogue *d, struct letter *l, const struct envelope *e, size_t size) {
    struct buf *b = &l->envelope;
    buf_clear(b);
    buf_puts(b, "MAIL FROM:<");
    buf_add_view(b, e->return_path);
    buf_putc(b, '>');
    if (d->offers.size)
        buf_printf(b, " SIZE=%zu", size);
    if (e->needs_smtputf8)
        buf_puts(b, " SMTPUTF8");
    buf_puts(b, "\r\n");
    l->mail_len = b->len;
    buf_puts(b, "RCPT TO:<");
    buf_add_view(b, e->recipient);
    buf_puts(b, ">\r\n");
    return buf_error(b);
}

/* Everything at once. A RSET between two transactions keeps a failure of the first from spoiling the second. */
static void say_chunk(struct dialogue *d, struct letter *l, struct view message) {
    char bdat[64];
    if (d->needs_rset || d->expected_count > 0)
        say_rset(d);
    say_mail(d, l);
    say_rcpt(d, l);
    int n = snprintf(bdat, sizeof bdat, "BDAT %zu LAST\r\n", message.len);
    say(d, view_make(bdat, (size_t)n));
    say(d, message);
    expect_end(d, l);
}

int dialogue_send(struct dialogue *d, const struct envelope *e, struct view message, uint64_t cookie) {
    if (!is_path(e->return_path) || !is_path(e->recipient) || e->recipient.len == 0)
        return -EINVAL;
    struct letter *l = letter_at(d, d->count);
    l->cookie = cookie;
    l->heard = l->failed = l->late = false;
    l->end_at = 0;
    foresee(d, l, e, message.len);
    int r = write_envelope(d, l, e, message.len);
    if (r == 0 && !l->failed && d->mode == MODE_CHUNKS)
        r = stuff_is_clean(message) ? 0 : -EBADMSG;
    else if (r == 0 && !l->failed)
        r = stuff(message, &l->body);
    if (r < 0) {
        clear(&l->body);
        return r;
    }
    set_state(l, LETTER_WAITING);
    d->count++;
    d->live++;
    if (!l->failed && d->mode == MODE_CHUNKS)
        say_chunk(d, l, message);
    return 0;
}

/* The first letter that waits, of those that we refuse ourselves or of the others. */
static struct letter *find_waiting(const struct dialogue *d, bool failed) {
    for (unsigned i = 0; i < d->count; i++) {
        struct letter *l = letter_at(d, i);
        if (l->state == LETTER_WAITING && l->failed == failed)
            return l;
    }
    return NULL;
}

static void begin_step(struct dialogue *d, struct letter *l) {
    if (d->expected_count > 0)
        return;
    if (d->needs_rset) {
        say_rset(d);
        return;
    }
    say_mail(d, l);
    set_state(l, LETTER_ENVELOPE);
}

static void begin_group(struct dialogue *d, struct letter *l) {
    if (d->data_open)
        return;
    if (d->needs_rset)
        say_rset(d);
    say_mail(d, l);
    say_rcpt(d, l);
    say_data(d, l);
    set_state(l, LETTER_ENVELOPE);
}

void dialogue_pump(struct dialogue *d) {
    struct letter *l;
    while ((l = find_waiting(d, true)))
        finish(d, l, &l->outcome);
    while (d->retired && (l = find_waiting(d, false)))
        give_back(d, l);
    if (d->over || d->hung_up || !(l = find_waiting(d, false)))
        return;
    switch (d->mode) {
    case MODE_STEPS: begin_step(d, l); break;
    case MODE_GROUPS: begin_group(d, l); break;
    case MODE_CHUNKS: break; /* nothing waits */
    }
}

bool dialogue_is_retired(const struct dialogue *d) {
    return d->retired;
}

bool dialogue_is_over(const struct dialogue *d) {
    return d->over;
}

void dialogue_quit(struct dialogue *d) {
    d->quitting = true;
    say(d, VIEW("QUIT\r\n"));
    expect(d, REPLY_QUIT, NULL);
}

bool dialogue_has_quit(const struct dialogue *d) {
    return d->quit;
}

/* ---- replies ---- */

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
        at_stake |= is_sent(d, letter_at(d, i));
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
        finish(d, l, &l->outcome);
    else if (stage == REPLY_MAIL)
        say_rcpt(d, l);
    else
        say_data(d, l);
    return 0;
}

static int on_data_reply(struct dialogue *d, struct letter *l) {
    if (d->reply.code / 100 == 2)
        return lose_count(d, "a 2xx to DATA");
    d->data_open = false;
    if (d->reply.code / 100 != 3) {
        fail(d, l, REPLY_DATA);
        finish(d, l, &l->outcome);
    } else if (l->failed) {
        clear(&l->body);
        say(d, VIEW(".\r\n")); /* 354 though nobody is to get it (RFC 2920 §3.1) */
        expect_end(d, l);
    } else {
        say_body(d, l);
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
    finish(d, l, &l->outcome);
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
            finish(d, l, &l->outcome);
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
            finish(d, l, &l->outcome);
        } else if (is_sent(d, l) && !(d->hung_up && d->ended)) {
            explained = true;
            outcome_set(&o, OUTCOME_IN_DOUBT, OUTCOME_OF_CONNECTION, buf_str(&doubt));
            finish(d, l, &o);
        } else if (l->state == LETTER_WAITING || (explained && !l->heard)) {
            give_back(d, l);
        } else {
            explained = true;
            outcome_set(&o, OUTCOME_DEFERRED, OUTCOME_OF_CONNECTION, text);
            finish(d, l, &o);
        }
    }
}
