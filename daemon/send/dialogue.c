#include "send/dialogue_inside.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "send/stuff.h"

#include "base/banned.h"

#define AS_NAME(name) #name,
static const char *const letter_state_names[] = {LETTER_STATES(AS_NAME)};

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

void dialogue_say(struct dialogue *d, struct view text) {
    check_said(d, outbox_add(&d->out, text));
}

/* What was said since the last command is one. */
static void expect(struct dialogue *d, enum reply_stage stage, struct letter *l) {
    d->expected[(d->expected_first + d->expected_count++) % EXPECTED_MAX] =
        (struct expected){.stage = stage, .letter = l, .from = d->asked, .at = d->out.queued};
    d->asked = d->out.queued;
}

static void say_mail(struct dialogue *d, struct letter *l) {
    dialogue_say(d, view_slice(buf_view(&l->envelope), 0, l->mail_len));
    expect(d, REPLY_MAIL, l);
}

void dialogue_say_rcpt(struct dialogue *d, struct letter *l) {
    dialogue_say(d, view_slice(buf_view(&l->envelope), l->mail_len, l->rcpt_end - l->mail_len));
    expect(d, REPLY_RCPT, l);
}

void dialogue_say_data(struct dialogue *d, struct letter *l) {
    dialogue_say(d, VIEW("DATA\r\n"));
    expect(d, REPLY_DATA, l);
    d->data_open = true;
}

/* The content was said. */
void dialogue_expect_end(struct dialogue *d, struct letter *l) {
    l->end_at = d->out.queued;
    expect(d, REPLY_END, l);
    set_state(l, LETTER_CONTENT);
}

void dialogue_say_body(struct dialogue *d, struct letter *l) {
    check_said(d, outbox_take(&d->out, &l->body));
    dialogue_expect_end(d, l);
}

static void say_rset(struct dialogue *d) {
    dialogue_say(d, VIEW("RSET\r\n"));
    expect(d, REPLY_RSET, NULL);
    d->needs_rset = false;
}

/* ---- messages ---- */

struct letter *dialogue_letter(const struct dialogue *d, unsigned i) {
    return &d->letters[(d->first + i) % d->most];
}

unsigned dialogue_in_flight(const struct dialogue *d) {
    return d->live;
}

unsigned dialogue_room(const struct dialogue *d) {
    return d->over || d->quitting || d->retired || d->hung_up || d->count >= d->window ? 0 : d->window - d->count;
}

void dialogue_clear(struct buf *b) {
    if (b->cap > OUTBOX_KEEP_MAX_BYTES)
        buf_done(b);
    else
        buf_clear(b);
}

/* The letter's slot is free for another before anyone is told. */
static void drop(struct dialogue *d, struct letter *l) {
    set_state(l, LETTER_DONE);
    d->live--;
    dialogue_clear(&l->body);
    while (d->count && dialogue_letter(d, 0)->state == LETTER_DONE) {
        d->first = (d->first + 1) % d->most;
        d->count--;
    }
}

void dialogue_give_back(struct dialogue *d, struct letter *l) {
    uint64_t cookie = l->cookie;
    drop(d, l);
    d->handlers->on_unsent(d->user, cookie);
}

void dialogue_finish(struct dialogue *d, struct letter *l, const struct outcome *outcome) {
    struct outcome o = *outcome;
    uint64_t cookie = l->cookie;
    if (l->late) {
        dialogue_give_back(d, l);
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
    if (d->offers.size) {
        buf_puts(b, " SIZE=");
        buf_put_i64(b, (int64_t)size);
    }
    if (e->needs_smtputf8)
        buf_puts(b, " SMTPUTF8");
    buf_puts(b, "\r\n");
    l->mail_len = b->len;
    buf_puts(b, "RCPT TO:<");
    buf_add_view(b, e->recipient);
    buf_puts(b, ">\r\n");
    l->rcpt_end = b->len;
    if (d->mode == MODE_CHUNKS) {
        buf_puts(b, "BDAT ");
        buf_put_i64(b, (int64_t)size);
        buf_puts(b, " LAST\r\n");
    }
    return buf_error(b);
}

/* Everything at once. A RSET between two transactions keeps a failure of the first from spoiling the second. */
static void say_chunk(struct dialogue *d, struct letter *l, struct view message) {
    if (d->needs_rset || d->expected_count > 0)
        say_rset(d);
    say_mail(d, l);
    dialogue_say_rcpt(d, l);
    dialogue_say(d, view_slice(buf_view(&l->envelope), l->rcpt_end, l->envelope.len));
    dialogue_say(d, message);
    dialogue_expect_end(d, l);
}

int dialogue_send(struct dialogue *d, const struct envelope *e, struct view message, uint64_t cookie) {
    if (!is_path(e->return_path) || !is_path(e->recipient) || e->recipient.len == 0)
        return -EINVAL;
    struct letter *l = dialogue_letter(d, d->count);
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
        dialogue_clear(&l->body);
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
        struct letter *l = dialogue_letter(d, i);
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
    dialogue_say_rcpt(d, l);
    dialogue_say_data(d, l);
    set_state(l, LETTER_ENVELOPE);
}

void dialogue_pump(struct dialogue *d) {
    struct letter *l;
    while ((l = find_waiting(d, true)))
        dialogue_finish(d, l, &l->outcome);
    while (d->retired && (l = find_waiting(d, false)))
        dialogue_give_back(d, l);
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
    dialogue_say(d, VIEW("QUIT\r\n"));
    expect(d, REPLY_QUIT, NULL);
}

bool dialogue_has_quit(const struct dialogue *d) {
    return d->quit;
}
