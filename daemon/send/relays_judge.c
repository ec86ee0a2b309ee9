/* Relays: what answers say of the relay and not of the recipient. */
#include "send/relays_inside.h"

#include <string.h>

#include "base/log.h"

#include "base/banned.h"

static void keep_failure(struct relay *r, const struct outcome *o) {
    AUTOBUF struct buf text = BUF_INIT(sizeof r->failure - 1);
    if (o->code && !strstr(o->text, "(")) /* what connecting says has the reply in it */
        buf_printf(&text, "%u %s%s", o->code, o->status, o->status[0] ? " " : "");
    buf_puts(&text, o->text);
    memcpy(r->failure, buf_str(&text), text.len + 1);
}

void relay_failed(struct relay *r, const struct outcome *o, bool of_sender, int64_t now) {
    enum pace_state before = r->pace.state;
    keep_failure(r, o);
    if (pace_relay_failed(&r->pace, of_sender, r->all->conf->relay_rest_usec, now) && !r->retired)
        r->all->handlers->on_alert(r->all->user, of_sender ? "alert-relay-paused" : "alert-relay-down", r->conf->id,
                                   r->failure);
    if (before != PACE_RESTING)
        log_warning("relay-rests", LOG_TEXT("relay", r->conf->id), LOG_TEXT("reason", r->failure),
                    LOG_NUM("seconds", r->pace.rest_usec / USEC_PER_SEC));
}

void relay_worked(struct relay *r) {
    if (pace_relay_worked(&r->pace))
        log_info("relay-works", LOG_TEXT("relay", r->conf->id));
    r->failure[0] = '\0';
}

/* A person's own fault, or a message's, is the answer of a relay that works. */
static bool is_sane(const struct outcome *o) {
    return o->code && o->code != 421 && o->subject != OUTCOME_OF_SENDER && o->subject != OUTCOME_OF_CONNECTION;
}

static enum judgement judge_refusal(struct relay *relay, const struct item *item, const struct outcome *o,
                                    int64_t now) {
    if (o->code == 0) /* our own */
        return JUDGEMENT_RECORD;
    /* Who was excused once, and is refused by a relay that has worked since, is refused. */
    if (item->sending && item->claim.from == DELIVERY_DEFERRED && item->claim.code >= 500 &&
        relay->pace.state == PACE_OPEN)
        return JUDGEMENT_RECORD;
    if (pace_relay_refused(&relay->pace, o) < PACE_RUN)
        return JUDGEMENT_HOLD;
    relay_failed(relay, o, true, now);
    return JUDGEMENT_EXCUSE;
}

enum judgement relays_judge(struct relays *all, struct line *line, const struct item *item,
                            const struct outcome *outcome, int64_t now_usec) {
    struct relay *relay = line->relay;
    (void)all;
    relay->counts[outcome->class]++;
    relay->answered_usec = now_usec;
    line->last_usec = now_usec;
    line->answered |= outcome->code != 0;
    if (outcome->class == OUTCOME_DELIVERED || is_sane(outcome)) {
        line->useful = true;
        relay->useless = 0;
    }
    if (outcome->class == OUTCOME_DELIVERED) {
        pace_relay_run_ends(&relay->pace);
        relay_worked(relay);
        return JUDGEMENT_RECORD;
    }
    if (outcome->subject == OUTCOME_OF_SENDER) {
        relay_failed(relay, outcome, true, now_usec);
        return JUDGEMENT_EXCUSE;
    }
    if (!relay->pace.of_sender && relay->pace.state == PACE_TRYING && is_sane(outcome))
        relay_worked(relay);
    if (outcome->subject == OUTCOME_OF_MESSAGE) {
        pace_relay_run_ends(&relay->pace);
        return JUDGEMENT_RECORD;
    }
    if (outcome->class == OUTCOME_REFUSED)
        return judge_refusal(relay, item, outcome, now_usec);
    /* A policy that one destination has is its own affair; the same words ten times in a row are about us. */
    if (outcome->class == OUTCOME_DEFERRED && outcome->code >= 500) {
        if (pace_relay_refused(&relay->pace, outcome) < PACE_RUN)
            return JUDGEMENT_RECORD;
        relay_failed(relay, outcome, true, now_usec);
        return JUDGEMENT_EXCUSE;
    }
    pace_relay_run_ends(&relay->pace);
    if (outcome->class == OUTCOME_DEFERRED && outcome->subject == OUTCOME_OF_CONNECTION && outcome->code)
        relay_failed(relay, outcome, false, now_usec);
    return JUDGEMENT_RECORD;
}

struct items *relays_held(struct relays *r, bool idle, int64_t now_usec, const char **ret_relay, int64_t *ret_when) {
    for (size_t i = 0; i < r->count + r->retired_count; i++) {
        struct relay *relay = i < r->count ? r->items[i] : r->retired[i - r->count];
        if (relay->held.count == 0 || relay_in_flight(relay) > 0)
            continue;
        if (idle || relay->answered_usec + RELAYS_HELD_USEC <= now_usec) {
            *ret_relay = relay->conf->id;
            return &relay->held;
        }
        pace_sooner(ret_when, relay->answered_usec + RELAYS_HELD_USEC);
    }
    return NULL;
}
