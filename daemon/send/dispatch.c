#include "send/dispatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "send/claimer.h"
#include "send/destination.h"
#include "send/letter.h"
#include "send/pace.h"
#include "send/recorder.h"
#include "send/relays.h"
#include "send/retry.h"
#include "send/sending.h"
#include "send/stages.h"
#include "send/work.h"

#include "base/banned.h"

enum {
    NOTICES_MAX = 8, /* claimed at once */
    LOADED_MAX = 16, /* announcements with their mails in memory */
    LOADED_MAX_BYTES = 256 << 20,
};
static const int64_t turn_usec = 30 * USEC_PER_SEC;      /* how long mails stay loaded where others wait */
static const int64_t in_doubt_usec = 10 * USEC_PER_SEC;  /* until what is in doubt is sent again */
static const int64_t reconnect_usec = 30 * USEC_PER_SEC; /* until a message is tried again that lost its connection */
static const int64_t trouble_usec = 10 * USEC_PER_SEC;   /* until a failing store is asked again */
static const int64_t overdue_usec = 60 * USEC_PER_SEC;   /* until what is due and cannot be sent is looked at again */
static const int64_t near_usec = 1 * USEC_PER_SEC;       /* a destination's turn that is worth waiting for in hand */
static const int64_t again_usec = 20 * 1000;             /* until what is due is looked for again */
enum { QUICK_ATTEMPTS = 10 };                            /* that reconnect_usec is good for */

struct dispatch {
    struct loop *loop;
    struct store *store;
    struct conf *conf;
    const struct dispatch_handlers *handlers;
    void *user;

    struct works works;
    struct stages stages;
    struct claimer *claimer;
    struct recorder *recorder;
    struct relays *relays;
    struct destinations *destinations;
    struct loop_source *post, *timer;
    int64_t timer_usec; /* what it was last set to */
    struct letters letters;

    struct sending *sendings; /* in turn: whoever got something goes to the end */
    struct items notices;
    unsigned notices_claimed;
    bool notices_claiming, notices_exhausted;
    unsigned aside; /* messages that wait in hand for their destination */

    bool started, unstarted /* it failed, and is tried again */, surveying, survey_wanted;
    int64_t due_usec;      /* wall clock: when to survey again; 0 for no reason */
    bool anew;             /* then with everything that was given up for now */
    int64_t reopened_usec; /* when something due last had everything looked at again */
    bool claimed_since;    /* then */
    int trouble;           /* of the store */

    bool stopping;
    int64_t stop_usec;
    void (*on_stopped)(void *user);
    void *on_stopped_user;
};

static void wake(struct dispatch *d) {
    loop_post(d->post);
}

/* After a failure that is nobody's fault. */
static void try_later(struct dispatch *d) {
    d->anew = true;
    pace_sooner(&d->due_usec, clock_now_usec() + trouble_usec);
}

/* Whether a job is on its way; where there was no memory for it, it is tried later. */
static bool under_way(struct dispatch *d, int result) {
    if (result < 0)
        try_later(d);
    return result == 0;
}

static bool resends_doubt(const struct dispatch *d) {
    return d->conf->in_doubt == CONF_IN_DOUBT_RESEND;
}

static struct sending *find(const struct dispatch *d, int64_t id) {
    struct sending *s = d->sendings;
    while (s && s->id != id)
        s = s->next;
    return s;
}

static struct sending *take_up(struct dispatch *d, const struct announcement_row *row) {
    struct sending *s = sending_new(row);
    if (!s) {
        log_error("out-of-memory");
        try_later(d);
        return NULL;
    }
    s->next = d->sendings;
    d->sendings = s;
    return s;
}

static void forget(struct dispatch *d, struct sending *s) {
    for (struct sending **at = &d->sendings; *at; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            break;
        }
    (void)sending_free(s);
}

static void set_relays(const struct dispatch *d, struct sending *s) {
    const struct conf_list *list = conf_find_list_id(d->conf, s->list);
    AUTOBUF struct buf names = BUF_INIT(8192);
    for (size_t i = 0; list && i < list->relays.count; i++)
        buf_printf(&names, "%s%s", i ? "," : "", list->relays.items[i]);
    s->relays = relays_bits(d->relays, buf_str(&names));
}

/* ---- giving back, recording ---------------------------------------------------------------------------------- */

static void not_aside(struct dispatch *d, struct item *item) {
    if (!item->is_aside)
        return;
    item->is_aside = false;
    d->aside--;
    if (item->sending)
        item->sending->aside--;
}

static void give_back(struct dispatch *d, struct item *item) {
    not_aside(d, item);
    if (item->sending) {
        item->sending->recording++;
        sending_reopen(item->sending);
    } else {
        d->notices_exhausted = false;
    }
    recorder_give_back(d->recorder, item);
}

static void give_back_all(struct dispatch *d, struct items *q) {
    for (struct item *i; (i = items_pop(q));)
        give_back(d, i);
}

static uint32_t chance(void) {
    uint32_t n = 0;
    (void)!getrandom(&n, sizeof n, 0); /* four bytes always come at once */
    return n;
}

static int64_t retry_of(const struct dispatch *d, const struct item *item, const struct outcome *o) {
    int64_t now = clock_now_usec(), until = item->sending ? item->sending->send_until_usec : 0;
    unsigned attempts = (item->sending ? item->claim.attempts : item->notice.attempts) + 1;
    int64_t first = item->sending ? item->claim.first_claim_usec : now - attempts * d->conf->retry_then_usec;
    switch (o->class) {
    case OUTCOME_DELIVERED:
    case OUTCOME_REFUSED: return 0;
    case OUTCOME_IN_DOUBT: return resends_doubt(d) ? now + in_doubt_usec : 0;
    case OUTCOME_DEFERRED: break;
    }
    /* A lost connection says nothing of the person: soon again, but not in a circle. */
    int64_t quick = now + reconnect_usec * attempts;
    if (o->subject == OUTCOME_OF_CONNECTION && attempts <= QUICK_ATTEMPTS && (until == 0 || quick < until))
        return quick;
    return retry_next(d->conf, attempts, now, first, until, chance());
}

static void record_until(struct dispatch *d, struct item *item, const struct outcome *outcome, int64_t retry_usec,
                         const char *relay) {
    if (item->sending)
        item->sending->recording++;
    pace_sooner(&d->due_usec, retry_usec);
    recorder_outcome(d->recorder, item, outcome, retry_usec, relay);
}

static void record(struct dispatch *d, struct item *item, const struct outcome *outcome, const char *relay) {
    record_until(d, item, outcome, retry_of(d, item, outcome), relay);
}

/* A refusal that speaks of us refuses nobody. */
static void excuse(struct dispatch *d, struct item *item, const struct outcome *outcome, const char *relay) {
    struct outcome o = *outcome;
    o.class = OUTCOME_DEFERRED;
    record(d, item, &o, relay);
}

static void settle_held(struct dispatch *d, struct items *held, bool excused, const char *relay) {
    for (struct item *i; (i = items_pop(held));) {
        struct outcome o = i->outcome;
        if (i->sending)
            i->sending->held--;
        if (excused)
            excuse(d, i, &o, relay);
        else
            record(d, i, &o, relay);
    }
}

static void on_recorded(void *user, struct item *item) {
    struct dispatch *d = user;
    if (item->sending)
        item->sending->recording--;
    else
        d->notices_claimed--;
}

/* The fault is the announcement's own: it waits for a person. */
static void hold(struct dispatch *d, struct sending *s, const char *reason) {
    char number[24];
    if (!s->active && !s->gathering)
        return; /* said already */
    s->active = false;
    give_back_all(d, &s->waiting);
    if (stages_hold(&d->stages, s->id, reason) < 0)
        log_error("out-of-memory");
    log_warning("announcement-paused", LOG_NUM("announcement", s->id), LOG_TEXT("reason", reason));
    (void)snprintf(number, sizeof number, "%lld", (long long)s->id); /* fits */
    d->handlers->on_alert(d->user, "alert-announcement-held", number, reason);
}

/* ---- outcomes ------------------------------------------------------------------------------------------------ */

static void tell_destination(struct dispatch *d, const struct item *item, const struct outcome *o) {
    enum destination_verdict verdict = DESTINATION_OTHER;
    if (o->class == OUTCOME_DELIVERED)
        verdict = DESTINATION_DELIVERED;
    else if (o->class == OUTCOME_DEFERRED && o->subject == OUTCOME_OF_DESTINATION)
        verdict = o->code == 421 || o->code >= 500 || strcmp(o->status, "4.7.28") == 0 ? DESTINATION_SLOW_DOWN
                                                                                       : DESTINATION_HINT;
    if (!destination_done(d->destinations, item->domain, verdict, item->taken_usec, clock_mono_usec()))
        return;
    AUTOFREE char *domain = view_dup(item->domain);
    log_info("destination-slows-down", LOG_TEXT("domain", domain ? domain : ""), LOG_TEXT("reason", o->text));
    if (o->code >= 500 && domain) /* a policy: it wants a person to look */
        d->handlers->on_alert(d->user, "alert-destination-paused", domain, o->text);
}

/* The message is at fault, not the person: held at the first such answer; who gets the same answer once more, after
 * somebody resumed, is refused. */
static void on_bad_message(struct dispatch *d, struct item *item, const struct outcome *outcome, const char *relay) {
    struct outcome o = *outcome;
    struct sending *s = item->sending;
    o.class = s && item->claim.code >= 500 ? OUTCOME_REFUSED : OUTCOME_DEFERRED;
    if (o.class == OUTCOME_REFUSED) {
        record(d, item, &o, relay);
        return;
    }
    record_until(d, item, &o, clock_now_usec(), relay);
    hold(d, s, o.text);
}

static bool feed_line(struct dispatch *d, struct line *line);

static void on_outcome(void *user, struct line *line, struct item *item, const struct outcome *outcome) {
    struct dispatch *d = user;
    const char *relay = line_relay(line);
    if (item->sending)
        item->sending->on_wire--;
    tell_destination(d, item, outcome);
    enum judgement judgement = relays_judge(d->relays, line, item, outcome, clock_mono_usec());
    bool bad_message = item->sending && outcome->subject == OUTCOME_OF_MESSAGE &&
                       (outcome->class == OUTCOME_REFUSED || outcome->code >= 500);
    switch (judgement) {
    case JUDGEMENT_RECORD:
        settle_held(d, line_held(line), false, relay);
        if (bad_message)
            on_bad_message(d, item, outcome, relay);
        else
            record(d, item, outcome, relay);
        break;
    case JUDGEMENT_HOLD:
        item->outcome = *outcome;
        if (item->sending)
            item->sending->held++;
        items_push(line_held(line), item);
        break;
    case JUDGEMENT_EXCUSE:
        settle_held(d, line_held(line), true, relay);
        excuse(d, item, outcome, relay);
        break;
    }
    (void)feed_line(d, line);
    wake(d);
}

static void on_unsent(void *user, struct item *item) {
    struct dispatch *d = user;
    if (item->sending)
        item->sending->on_wire--;
    (void)destination_done(d->destinations, item->domain, DESTINATION_OTHER, item->taken_usec, clock_mono_usec());
    give_back(d, item);
    wake(d);
}

/* ---- sending ------------------------------------------------------------------------------------------------- */

static void cannot_write(struct dispatch *d, struct item *item, int error) {
    struct outcome o;
    struct sending *s = item->sending;
    (void)destination_done(d->destinations, item->domain, DESTINATION_OTHER, item->taken_usec, clock_mono_usec());
    if (s && (error == -EBADMSG || error == -EMSGSIZE || error == -ENOKEY)) {
        give_back(d, item);
        hold(d, s,
             error == -EMSGSIZE ? "the mail is larger than [daemon] message-limit"
             : error == -ENOKEY ? "there is no key to sign with: see rundbrief key"
                                : "the mail has lines that must not go out");
        return;
    }
    if (error != -ENOMEM && error != -ENOENT) {
        outcome_set(&o, OUTCOME_REFUSED, OUTCOME_OF_RECIPIENT, "a field of this person cannot stand in a mail");
        record(d, item, &o, "");
        return;
    }
    log_error("mail-not-written", LOG_TEXT("reason", strerror(-error)));
    give_back(d, item);
    if (s)
        s->exhausted = true; /* not in a circle */
    try_later(d);
}

static void send_item(struct dispatch *d, struct item *item, struct line *line, int64_t now) {
    struct envelope envelope;
    struct view message;
    int r = letter_write(&d->letters, item, &envelope, &message);
    if (r == 0)
        r = relays_send(line, &envelope, message, item, now);
    if (r < 0)
        cannot_write(d, item, r);
    else if (item->sending)
        item->sending->on_wire++;
}

static void put_off_until(struct dispatch *d, struct item *item, int64_t due_usec, const char *why) {
    not_aside(d, item);
    if (item->sending)
        item->sending->recording++;
    pace_sooner(&d->due_usec, due_usec);
    recorder_put_off(d->recorder, item, due_usec, why);
}

static void put_off(struct dispatch *d, struct item *item, int64_t now) {
    int64_t due = clock_now_usec() + (destination_turn(d->destinations, item->domain, now) - now);
    put_off_until(d, item, due, "waits for its turn at this destination");
}

/* Few may wait in hand for a destination that will soon take them: others are not to wait behind them. */
static bool stays_aside(struct dispatch *d, struct item *item) {
    unsigned most = relays_window(d->relays) / 4;
    if (!item->is_aside && d->aside >= (most ? most : 1))
        return false;
    if (!item->is_aside) {
        item->is_aside = true;
        d->aside++;
        if (item->sending)
            item->sending->aside++;
    }
    return true;
}

enum turn { TURN_NOW, TURN_SOON, TURN_LATER };

/* Whether the item's destination may be written to. */
static enum turn turn_of(struct dispatch *d, struct item *item, int64_t now, int64_t *when) {
    int64_t later = 0;
    switch (destination_take(d->destinations, item->domain, now, &later)) {
    case DESTINATION_GO:
        not_aside(d, item);
        item->taken_usec = now;
        return TURN_NOW;
    case DESTINATION_BUSY: return stays_aside(d, item) ? TURN_SOON : TURN_LATER;
    case DESTINATION_LATER: break;
    }
    if (later - now > near_usec || !stays_aside(d, item))
        return TURN_LATER;
    pace_sooner(when, later);
    return TURN_SOON;
}

/* This line, or (NULL) the best one, where it takes a message for these relays now. */
static struct line *line_for(struct dispatch *d, uint64_t relays, struct line *line, int64_t now, int64_t *when) {
    if (!line)
        return relays_pick(d->relays, relays, now, when);
    return relays_takes(d->relays, line, relays, now) ? line : NULL;
}

/* One message of the queue. Each notice has relays of its own, those of an announcement have the same. */
static bool send_from(struct dispatch *d, struct items *q, const struct sending *s, struct line *given, int64_t now,
                      int64_t *when) {
    struct line *line = s && q->count ? line_for(d, s->relays, given, now, when) : NULL;
    for (struct item **at = &q->first; *at;) {
        struct item *item = *at;
        if (!s)
            line = line_for(d, item->relays, given, now, when);
        if (!line && s)
            return false;
        switch (line ? turn_of(d, item, now, when) : TURN_SOON) {
        case TURN_NOW: send_item(d, items_take(q, at), line, now); return true;
        case TURN_SOON: at = &item->next; break;
        case TURN_LATER: put_off(d, items_take(q, at), now); break;
        }
    }
    return false;
}

static void to_the_end(struct dispatch *d, struct sending *s) {
    if (!s->next)
        return;
    struct sending **at = &d->sendings;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    s->next = NULL;
    while (*at)
        at = &(*at)->next;
    *at = s;
}

/* Notices first, then announcements in turn. */
static bool send_next(struct dispatch *d, struct line *line, int64_t now, int64_t *when) {
    if (d->stopping)
        return false;
    if (send_from(d, &d->notices, NULL, line, now, when))
        return true;
    for (struct sending *s = d->sendings; s; s = s->next)
        if (s->active && s->loaded && send_from(d, &s->waiting, s, line, now, when)) {
            to_the_end(d, s);
            return true;
        }
    return false;
}

static bool feed_line(struct dispatch *d, struct line *line) {
    int64_t now = clock_mono_usec(), when = 0;
    bool any = false;
    while (send_next(d, line, now, &when))
        any = true;
    return any;
}

/* ---- loading and claiming ------------------------------------------------------------------------------------ */

static bool wants_mails(const struct sending *s) {
    return s->active && !s->failed && !s->exhausted && !s->loaded && !s->loading;
}

/* Makes room: at once where mails are not needed just now, else by a rest for those loaded longest. */
static void make_room(struct dispatch *d, int64_t now, int64_t *when) {
    struct sending *oldest = NULL;
    for (struct sending *s = d->sendings; s; s = s->next) {
        if (!s->loaded)
            continue;
        if ((s->exhausted || s->resting) && sending_is_quiet(s)) {
            sending_unload(s);
            s->resting = false;
            return;
        }
        if (s->resting)
            return; /* on its way */
        if (!oldest || s->loaded_usec < oldest->loaded_usec)
            oldest = s;
    }
    if (oldest && oldest->loaded_usec + turn_usec <= now)
        oldest->resting = true;
    else if (oldest)
        pace_sooner(when, oldest->loaded_usec + turn_usec);
}

static void load_more(struct dispatch *d, int64_t now, int64_t *when) {
    for (struct sending *s = d->sendings; s && !d->stopping; s = s->next) {
        if (!wants_mails(s))
            continue;
        unsigned loaded = 0;
        size_t bytes = 0;
        for (const struct sending *o = d->sendings; o; o = o->next) {
            loaded += o->loaded || o->loading;
            bytes += o->bytes;
        }
        if (loaded && (loaded >= LOADED_MAX || bytes >= LOADED_MAX_BYTES)) {
            make_room(d, now, when);
            continue;
        }
        s->loading = under_way(d, stages_load(&d->stages, s));
    }
}

/* What the window bounds. Outcomes that are being recorded and refusals that are held back come on top. */
static unsigned claimed(const struct dispatch *d) {
    unsigned n = 0;
    for (const struct sending *s = d->sendings; s; s = s->next)
        n += s->waiting.count + s->on_wire;
    return n;
}

/* What became of earlier ones goes with each claim, in the same commit. */
static void flush(struct dispatch *d) {
    recorder_flush(d->recorder);
}

/* Those whose relays rest, or have to wait long, make room for others. */
static void connect_notices(struct dispatch *d, int64_t now) {
    for (struct item **at = &d->notices.first; *at;) {
        struct item *item = *at;
        int64_t when = 0;
        relays_connect(d->relays, item->relays, now);
        if (relays_wait(d->relays, item->relays, now, &when) && when - now > near_usec) {
            int64_t wait = when - now < overdue_usec ? when - now : overdue_usec; /* a reload may end it sooner */
            put_off_until(d, items_take(&d->notices, at), clock_now_usec() + wait, "waits for its relay");
        } else {
            at = &item->next;
        }
    }
}

static void claim_notices(struct dispatch *d, int64_t now) {
    uint64_t all = relays_bits(d->relays, "");
    connect_notices(d, now);
    if (d->notices_claiming || d->notices_exhausted || d->notices_claimed >= NOTICES_MAX ||
        !relays_alive(d->relays, all, now))
        return;
    flush(d);
    d->notices_claiming = under_way(d, stages_claim_notices(&d->stages, NOTICES_MAX - d->notices_claimed));
}

/* Recipients are claimed as lines are ready for them; without one, a line first. */
static void claim_for(struct dispatch *d, struct sending *s, unsigned sharers, int64_t now, int64_t *when) {
    if (s->waiting.count == 0 && (s->exhausted || s->resting))
        return;
    if (!relays_alive(d->relays, s->relays, now)) {
        give_back_all(d, &s->waiting);
        (void)relays_appetite(d->relays, s->relays, now, when); /* for when */
        return;
    }
    relays_connect(d->relays, s->relays, now);
    unsigned appetite = relays_appetite(d->relays, s->relays, now, when);
    unsigned have = claimed(d), window = relays_window(d->relays), target = appetite / sharers;
    unsigned ready = s->waiting.count - s->aside;
    if (target == 0)
        target = appetite > 0;
    if (s->exhausted || s->resting || s->claiming || 3 * ready > target || ready >= target || have >= window)
        return;
    unsigned max = target - ready;
    if (max > window - have)
        max = window - have;
    flush(d);
    s->claiming = under_way(d, claimer_claim(d->claimer, s, max, resends_doubt(d)));
}

static void claim_more(struct dispatch *d, int64_t now, int64_t *when) {
    unsigned sharers = 0;
    if (d->stopping || !d->started || d->trouble)
        return;
    claim_notices(d, now);
    load_more(d, now, when);
    for (const struct sending *s = d->sendings; s; s = s->next)
        sharers += s->active && s->loaded && (!s->exhausted || s->waiting.count);
    for (struct sending *s = d->sendings; s; s = s->next)
        if (s->active && s->loaded)
            claim_for(d, s, sharers ? sharers : 1, now, when);
}

static void on_claimed(void *user, struct sending *s, int result, struct items *items, bool more) {
    struct dispatch *d = user;
    s->claiming = false;
    s->exhausted = result < 0 || !more;
    d->claimed_since |= items->count > 0;
    if (s->exhausted)
        d->survey_wanted = true; /* what is due next? */
    if (result < 0)
        try_later(d);
    for (struct item *i; (i = items_pop(items));)
        items_push(&s->waiting, i);
    if (!s->active || d->stopping)
        give_back_all(d, &s->waiting);
    wake(d);
}

static void on_notices(void *user, int result, struct items *notices, bool more) {
    struct dispatch *d = user;
    d->notices_claiming = false;
    d->notices_exhausted = result < 0 || !more;
    d->claimed_since |= notices->count > 0;
    if (d->notices_exhausted)
        d->survey_wanted = true;
    if (result < 0)
        try_later(d);
    for (struct item *i; (i = items_pop(notices));) {
        i->relays = relays_bits(d->relays, i->notice.relays);
        d->notices_claimed++;
        if (d->stopping)
            give_back(d, i);
        else
            items_push(&d->notices, i);
    }
    wake(d);
}

static void on_loaded(void *user, struct sending *s, int result, const struct why *fault) {
    struct dispatch *d = user;
    s->loading = false;
    if (result == 0) {
        s->loaded = true;
        s->loaded_usec = clock_mono_usec();
    } else {
        sending_unload(s);
        s->failed = fault != NULL;
        if (fault)
            hold(d, s, fault->what);
        else
            try_later(d);
        s->exhausted |= !fault;
    }
    wake(d);
}

/* ---- the stages of an announcement --------------------------------------------------------------------------- */

static void gather(struct dispatch *d, const struct announcement_row *row) {
    struct sending *s = d->stopping || find(d, row->id) ? NULL : take_up(d, row);
    if (s)
        s->gathering = under_way(d, stages_gather(&d->stages, row, d->conf->retry_give_up_usec));
}

static void on_gathered(void *user, int64_t id, int result, const struct why *fault) {
    struct dispatch *d = user;
    struct sending *s = find(d, id);
    if (fault)
        hold(d, s, fault->what);
    else if (result < 0 && result != -ESTALE)
        try_later(d);
    s->gathering = false;
    if (result < 0)
        forget(d, s); /* it is taken up anew, if it is still to be */
    if (result >= 0 || result == -ESTALE)
        d->survey_wanted = true;
    wake(d);
}

static void take_sending(struct dispatch *d, const struct announcement_row *row, bool due) {
    struct sending *s = find(d, row->id);
    bool fresh = !s && !d->stopping;
    if (fresh)
        s = take_up(d, row);
    if (!s || s->gathering)
        return;
    s->send_until_usec = row->send_until_usec;
    if (!s->active)
        sending_reopen(s);
    if (fresh)
        s->exhausted = row->pending == 0 && !due;
    s->active = !s->failed;
    set_relays(d, s);
}

static void take_row(struct dispatch *d, const struct announcement_row *row, bool due, int64_t wall) {
    switch (row->state) {
    case ANNOUNCEMENT_SCHEDULED:
        if (row->send_at_usec <= wall)
            gather(d, row);
        break;
    case ANNOUNCEMENT_GATHERING: gather(d, row); break; /* cut off by a restart */
    case ANNOUNCEMENT_SENDING: take_sending(d, row, due); break;
    case ANNOUNCEMENT_INTAKE:
    case ANNOUNCEMENT_HELD:
    case ANNOUNCEMENT_PAUSED:
    case ANNOUNCEMENT_DONE:
    case ANNOUNCEMENT_STOPPED: break;
    }
}

static bool is_sending(const struct survey *v, int64_t id) {
    for (size_t i = 0; i < v->count; i++)
        if (v->rows[i].id == id)
            return v->rows[i].state == ANNOUNCEMENT_SENDING;
    return false;
}

static void leave_others(struct dispatch *d, const struct survey *v) {
    for (struct sending *s = d->sendings; s; s = s->next)
        if (s->active && !is_sending(v, s->id)) {
            s->active = false;
            give_back_all(d, &s->waiting);
        }
}

static void look_anew(struct dispatch *d) {
    d->anew = d->notices_exhausted = false;
    for (struct sending *s = d->sendings; s; s = s->next)
        sending_reopen(s);
}

/* What is due is looked for at once, but not over and over: it may not be possible to send it now. */
static void look_again(struct dispatch *d, int64_t wall) {
    int64_t now = clock_mono_usec(), least = d->claimed_since ? again_usec : near_usec;
    if (d->reopened_usec && now - d->reopened_usec < least) {
        pace_sooner(&d->due_usec, wall + least);
        return;
    }
    d->reopened_usec = now;
    d->claimed_since = false;
    look_anew(d);
    pace_sooner(&d->due_usec, wall + overdue_usec);
}

static void on_survey(void *user, const struct survey *v, int result) {
    struct dispatch *d = user;
    int64_t wall = clock_now_usec();
    d->surveying = false;
    if (result < 0) {
        try_later(d);
        wake(d);
        return;
    }
    bool due = v->next_usec && v->next_usec <= wall;
    for (size_t i = 0; i < v->count; i++)
        take_row(d, &v->rows[i], due, wall);
    leave_others(d, v);
    if (due)
        look_again(d, wall);
    else
        pace_sooner(&d->due_usec, v->next_usec);
    wake(d);
}

static void on_settled(void *user, int64_t id, int result, bool finished) {
    struct dispatch *d = user;
    struct sending *s = find(d, id);
    s->settling = false;
    s->settled = true;
    if (result < 0)
        try_later(d);
    if (finished) {
        log_info("announcement-finished", LOG_NUM("announcement", id));
        forget(d, s);
        d->handlers->on_finished(d->user, id);
    }
    wake(d);
}

static void on_held(void *user, int64_t id) {
    struct dispatch *d = user;
    (void)id;
    d->survey_wanted = true;
    wake(d);
}

static void on_reserved(void *user, const struct relays_reservation *what, bool durable) {
    struct dispatch *d = user;
    relays_reserved(d->relays, what, durable);
    wake(d);
}

static void on_usage(void *user, const char *relay, int64_t hour, uint64_t messages) {
    struct dispatch *d = user;
    relays_load_usage(d->relays, relay, hour, messages);
}

/* Nothing is sent before it is known what was sent today. */
static void on_usage_loaded(void *user, int result) {
    struct dispatch *d = user;
    d->started = result == 0;
    d->survey_wanted |= d->started;
    d->unstarted = result < 0;
    if (result < 0)
        try_later(d);
    wake(d);
}

static const struct stages_handlers stages_handlers = {
    .on_survey = on_survey,
    .on_gathered = on_gathered,
    .on_loaded = on_loaded,
    .on_settled = on_settled,
    .on_notices = on_notices,
    .on_usage = on_usage,
    .on_usage_loaded = on_usage_loaded,
    .on_held = on_held,
    .on_reserved = on_reserved,
};

/* Those that have nothing more to try now are over, or wait; those that were paused or stopped are forgotten. */
static void settle_quiet(struct dispatch *d, int64_t *when) {
    int64_t wall = clock_now_usec(), now = clock_mono_usec();
    for (struct sending *s = d->sendings, *next; s; s = next) {
        next = s->next;
        if (s->active && s->send_until_usec && s->send_until_usec <= wall) {
            give_back_all(d, &s->waiting);
            s->exhausted = true;
        } else if (s->active && s->send_until_usec) {
            pace_sooner(when, now + (s->send_until_usec - wall));
        }
        if (s->gathering || s->loading || s->settling || !sending_is_quiet(s))
            continue;
        if (!s->active && !s->failed)
            forget(d, s);
        else if (s->active && s->exhausted && !s->settled && !d->stopping)
            s->settling = under_way(d, stages_settle(&d->stages, s->id, resends_doubt(d)));
    }
}

/* Nothing waits and nothing more can be claimed now. */
static bool is_idle(const struct dispatch *d) {
    bool idle = d->notices.count == 0 && !d->notices_claiming;
    for (const struct sending *s = d->sendings; s && idle; s = s->next)
        idle = s->waiting.count == 0 && !s->claiming && (!s->active || s->exhausted);
    return idle || d->stopping;
}

/* ---- the turn ------------------------------------------------------------------------------------------------ */

static void watch_store(struct dispatch *d, int64_t now, int64_t *when) {
    int trouble = store_trouble(d->store);
    if (d->trouble && !trouble)
        d->handlers->on_alert(d->user, "alert-store-trouble", strerror(-d->trouble), "");
    d->trouble = trouble;
    if (trouble)
        pace_sooner(when, now + trouble_usec);
}

/* What daily limits count is written together with what was claimed in this turn. */
static void reserve(struct dispatch *d) {
    struct relays_reservation what;
    while (d->started && !d->trouble && relays_reserve(d->relays, &what))
        if (stages_reserve(&d->stages, &what) < 0)
            relays_reserved(d->relays, &what, false);
}

static void watch_clock(struct dispatch *d) {
    int64_t hours = relays_clock_jump(d->relays);
    if (hours && stages_shift_usage(&d->stages, hours) < 0)
        log_error("out-of-memory");
}

static void check_stopped(struct dispatch *d, int64_t now, int64_t *when) {
    if (!d->stopping || !d->on_stopped)
        return;
    if (now >= d->stop_usec)
        relays_abort(d->relays);
    else
        pace_sooner(when, d->stop_usec);
    if (d->works.under_way || relays_lines(d->relays))
        return;
    relays_give_back_reserved(d->relays);
    reserve(d);
    if (d->works.under_way)
        return;
    void (*on_stopped)(void *) = d->on_stopped;
    d->on_stopped = NULL;
    on_stopped(d->on_stopped_user);
}

static void set_timer(struct dispatch *d, int64_t now, int64_t when) {
    if (d->due_usec) {
        int64_t wait = d->due_usec - clock_now_usec();
        pace_sooner(&when, now + (wait > 0 ? wait : 0));
    }
    /* One that is set too early is left to fire: most often it moves a little with each message. */
    if (!when) {
        loop_unset_timer(d->timer);
    } else if (!loop_timer_is_set(d->timer) || when < d->timer_usec) {
        d->timer_usec = when;
        loop_set_timer(d->timer, when);
    }
}

/* Outcomes wait for the next claim, but not long, and not where none may come. */
static void flush_due(struct dispatch *d, int64_t now, int64_t *when) {
    int64_t due = recorder_due(d->recorder);
    if (due && (due <= now || d->stopping || relays_in_flight(d->relays) == 0))
        flush(d);
    else
        pace_sooner(when, due);
}

static void turn(void *user) {
    struct dispatch *d = user;
    int64_t now = clock_mono_usec(), when = 0;
    const char *relay;
    works_gather(&d->works);
    watch_store(d, now, &when);
    watch_clock(d);
    while (send_next(d, NULL, now, &when))
        ;
    claim_more(d, now, &when);
    reserve(d);
    for (struct items *held; (held = relays_held(d->relays, is_idle(d), now, &relay, &when));)
        settle_held(d, held, false, relay);
    settle_quiet(d, &when);
    if (d->survey_wanted && !d->surveying) {
        d->survey_wanted = false;
        d->surveying = under_way(d, stages_survey(&d->stages));
    }
    flush_due(d, now, &when);
    pace_sooner(&when, relays_close_idle(d->relays, now));
    check_stopped(d, now, &when);
    set_timer(d, now, when);
    works_hand_over(&d->works);
}

static void on_timer(void *user) {
    struct dispatch *d = user;
    if (d->trouble || (d->due_usec && d->due_usec <= clock_now_usec())) {
        d->due_usec = 0;
        d->survey_wanted = true;
        if (d->unstarted)
            dispatch_start(d);
        if (d->anew)
            look_anew(d);
    }
    turn(d);
}

static void on_work_done(void *user) {
    wake(user);
}

static void on_relays_change(void *user) {
    wake(user);
}

static void on_relays_alert(void *user, const char *key, const char *relay, const char *text) {
    struct dispatch *d = user;
    d->handlers->on_alert(d->user, key, relay, text);
}

static const struct relays_handlers relays_handlers = {on_relays_change, on_outcome, on_unsent, on_relays_alert};

/* ---- its life ------------------------------------------------------------------------------------------------ */

static int prepare(struct dispatch *d, struct why *why) {
    int r = relays_new(d->loop, d->conf, &relays_handlers, d, why, &d->relays);
    if (r < 0)
        return r;
    r = destinations_new(&d->destinations);
    if (r == 0)
        r = claimer_new(&d->works, on_claimed, d, &d->claimer);
    if (r == 0)
        r = recorder_new(&d->works, on_recorded, d, &d->recorder);
    if (r == 0)
        r = loop_add_post(d->loop, turn, d, &d->post);
    if (r == 0)
        r = loop_add_timer(d->loop, on_timer, d, &d->timer);
    if (r < 0)
        return why_set(why, r, "cannot prepare the sending: %s", strerror(-r));
    r = destinations_configure(d->destinations, d->conf, clock_mono_usec());
    return r < 0 ? why_set(why, r, "cannot prepare the destinations: %s", strerror(-r)) : 0;
}

int dispatch_new(struct loop *loop, struct store *store, struct conf *conf, const struct keyring *keys,
                 struct spool *spool, const struct dispatch_handlers *handlers, void *user, struct why *why,
                 struct dispatch **ret) {
    struct dispatch *d = calloc(1, sizeof *d);
    if (!d)
        return why_set(why, -ENOMEM, "out of memory");
    *d = (struct dispatch){
        .loop = loop,
        .store = store,
        .conf = conf_ref(conf),
        .handlers = handlers,
        .user = user,
        .works = {.store = store, .on_done = on_work_done, .user = d},
        .stages = {.works = &d->works, .spool = spool, .on = &stages_handlers, .user = d},
    };
    letters_init(&d->letters, conf, keys);
    items_init(&d->notices);
    int r = prepare(d, why);
    if (r < 0) {
        (void)dispatch_free(d);
        return r;
    }
    *ret = d;
    return 0;
}

struct dispatch *dispatch_free(struct dispatch *d) {
    if (!d)
        return NULL;
    (void)relays_free(d->relays);
    (void)recorder_free(d->recorder);
    while (d->sendings)
        forget(d, d->sendings);
    items_free(&d->notices);
    (void)claimer_free(d->claimer);
    (void)destinations_free(d->destinations);
    (void)loop_remove(d->post);
    (void)loop_remove(d->timer);
    (void)conf_unref(d->conf);
    letters_done(&d->letters);
    free(d);
    return NULL;
}

void dispatch_start(struct dispatch *d) {
    d->unstarted = false;
    if (stages_load_usage(&d->stages, d->conf) < 0)
        on_usage_loaded(d, -ENOMEM);
}

void dispatch_announcement(struct dispatch *d, int64_t announcement) {
    struct sending *s = find(d, announcement);
    if (s) { /* perhaps resumed after a correction */
        s->failed = false;
        sending_reopen(s);
    }
    d->survey_wanted = true;
    wake(d);
}

void dispatch_notices(struct dispatch *d) {
    d->notices_exhausted = false;
    wake(d);
}

void dispatch_set_conf(struct dispatch *d, struct conf *conf) {
    struct conf *before = d->conf;
    d->conf = conf_ref(conf);
    letters_set_conf(&d->letters, conf);
    if (relays_set_conf(d->relays, d->conf) < 0 ||
        destinations_configure(d->destinations, d->conf, clock_mono_usec()) < 0)
        log_error("out-of-memory");
    (void)conf_unref(before);
    for (struct sending *s = d->sendings; s; s = s->next)
        set_relays(d, s);
    for (struct item *i = d->notices.first; i; i = i->next)
        i->relays = relays_bits(d->relays, i->notice.relays);
    d->survey_wanted = true;
    wake(d);
}

void dispatch_stop(struct dispatch *d, int64_t deadline_mono_usec, void (*on_stopped)(void *user), void *user) {
    d->stopping = true;
    d->stop_usec = deadline_mono_usec;
    d->on_stopped = on_stopped;
    d->on_stopped_user = user;
    for (struct sending *s = d->sendings; s; s = s->next)
        give_back_all(d, &s->waiting);
    give_back_all(d, &d->notices);
    relays_quit(d->relays);
    wake(d);
}

void dispatch_stats(const struct dispatch *d, struct dispatch_stats *ret) {
    *ret = (struct dispatch_stats){0};
    relays_stats(d->relays, ret);
    for (const struct sending *s = d->sendings; s; s = s->next)
        ret->claimed += sending_claimed(s);
}
