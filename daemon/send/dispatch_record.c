/* Dispatch: what became of messages. Outcomes are judged, destinations told, and everything goes to the recorder; what
 * was not sent is given back. */
#include "send/dispatch_inside.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "conf/conf.h"
#include "send/retry.h"
#include "send/sending.h"

#include "base/banned.h"

static const int64_t in_doubt_usec = 10 * USEC_PER_SEC;  /* until what is in doubt is sent again */
static const int64_t reconnect_usec = 30 * USEC_PER_SEC; /* until a message is tried again that lost its connection */
enum { QUICK_ATTEMPTS = 10 };                            /* that reconnect_usec is good for */

void dispatch_not_aside(struct dispatch *d, struct item *item) {
    if (!item->is_aside)
        return;
    item->is_aside = false;
    d->aside--;
    if (item->sending)
        item->sending->aside--;
}

void dispatch_give_back(struct dispatch *d, struct item *item) {
    dispatch_not_aside(d, item);
    if (item->sending) {
        item->sending->recording++;
        sending_reopen(item->sending);
    } else {
        d->notices_exhausted = false;
    }
    recorder_give_back(d->recorder, item);
}

void dispatch_give_back_all(struct dispatch *d, struct items *q) {
    for (struct item *i; (i = items_pop(q));)
        dispatch_give_back(d, i);
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
    case OUTCOME_IN_DOUBT: return dispatch_resends_doubt(d) ? now + in_doubt_usec : 0;
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
    if (item->sending) {
        item->sending->recording++;
        item->sending->answered++;
    }
    pace_sooner(&d->due_usec, retry_usec);
    recorder_outcome(d->recorder, item, outcome, retry_usec, relay);
}

void dispatch_record(struct dispatch *d, struct item *item, const struct outcome *outcome, const char *relay) {
    record_until(d, item, outcome, retry_of(d, item, outcome), relay);
}

/* A refusal that speaks of us refuses nobody. */
static void excuse(struct dispatch *d, struct item *item, const struct outcome *outcome, const char *relay) {
    struct outcome o = *outcome;
    o.class = OUTCOME_DEFERRED;
    dispatch_record(d, item, &o, relay);
}

void dispatch_settle_held(struct dispatch *d, struct items *held, bool excused, const char *relay) {
    for (struct item *i; (i = items_pop(held));) {
        struct outcome o = i->outcome;
        if (i->sending)
            i->sending->held--;
        if (excused)
            excuse(d, i, &o, relay);
        else
            dispatch_record(d, i, &o, relay);
    }
}

void dispatch_on_recorded(void *user, struct item *item) {
    struct dispatch *d = user;
    if (item->sending)
        item->sending->recording--;
    else
        d->notices_claimed--;
}

/* The fault is the announcement's own: it waits for a person. */
void dispatch_hold(struct dispatch *d, struct sending *s, const char *reason) {
    char number[24];
    if (!s->active && !s->gathering)
        return; /* said already */
    s->active = false;
    dispatch_give_back_all(d, &s->waiting);
    if (stages_hold(&d->stages, s->id, reason) < 0) { /* it is found to be at fault once more when memory is back */
        log_error("out-of-memory");
        s->failed = false;
        dispatch_try_later(d);
        return;
    }
    log_warning("announcement-paused", LOG_NUM("announcement", s->id), LOG_TEXT("reason", reason));
    (void)snprintf(number, sizeof number, "%lld", (long long)s->id); /* fits */
    d->handlers->on_alert(d->user, "alert-announcement-held", number, reason);
}

/* ---- outcomes ------------------------------------------------------------------------------------------------ */

static void tell_destination(struct dispatch *d, const struct item *item, const struct outcome *o, int64_t now) {
    enum destination_verdict verdict = DESTINATION_OTHER;
    if (o->class == OUTCOME_DELIVERED)
        verdict = DESTINATION_DELIVERED;
    else if (o->class == OUTCOME_DEFERRED && o->subject == OUTCOME_OF_DESTINATION)
        verdict = o->code == 421 || o->code >= 500 || strcmp(o->status, "4.7.28") == 0 ? DESTINATION_SLOW_DOWN
                                                                                       : DESTINATION_HINT;
    if (!destination_done(d->destinations, item->domain, verdict, item->taken_usec, now))
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
        dispatch_record(d, item, &o, relay);
        return;
    }
    record_until(d, item, &o, clock_now_usec(), relay);
    dispatch_hold(d, s, o.text);
}

void dispatch_on_outcome(void *user, struct line *line, struct item *item, const struct outcome *outcome) {
    struct dispatch *d = user;
    const char *relay = line_relay(line);
    int64_t now = clock_mono_usec();
    if (item->sending)
        item->sending->on_wire--;
    tell_destination(d, item, outcome, now);
    enum judgement judgement = relays_judge(d->relays, line, item, outcome, now);
    bool bad_message = item->sending && outcome->subject == OUTCOME_OF_MESSAGE &&
                       (outcome->class == OUTCOME_REFUSED || outcome->code >= 500);
    switch (judgement) {
    case JUDGEMENT_RECORD:
        dispatch_settle_held(d, line_held(line), false, relay);
        if (bad_message)
            on_bad_message(d, item, outcome, relay);
        else
            dispatch_record(d, item, outcome, relay);
        break;
    case JUDGEMENT_HOLD:
        item->outcome = *outcome;
        if (item->sending)
            item->sending->held++;
        items_push(line_held(line), item);
        break;
    case JUDGEMENT_EXCUSE:
        dispatch_settle_held(d, line_held(line), true, relay);
        excuse(d, item, outcome, relay);
        break;
    }
    (void)dispatch_feed_line(d, line, now);
    dispatch_wake(d);
}

void dispatch_on_unsent(void *user, struct item *item) {
    struct dispatch *d = user;
    if (item->sending)
        item->sending->on_wire--;
    (void)destination_done(d->destinations, item->domain, DESTINATION_OTHER, item->taken_usec, clock_mono_usec());
    dispatch_give_back(d, item);
    dispatch_wake(d);
}
