/* Dispatch: which message a line gets next, and writing it. */
#include "send/dispatch_inside.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "send/sending.h"

#include "base/banned.h"

static void cannot_write(struct dispatch *d, struct item *item, int error) {
    struct outcome o;
    struct sending *s = item->sending;
    (void)destination_done(d->destinations, item->domain, DESTINATION_OTHER, item->taken_usec, clock_mono_usec());
    if (s && (error == -EBADMSG || error == -EMSGSIZE || error == -ENOKEY)) {
        dispatch_give_back(d, item);
        dispatch_hold(d, s,
                      error == -EMSGSIZE ? "the mail is larger than [daemon] message-limit"
                      : error == -ENOKEY ? "there is no key to sign with: see rundbrief key"
                                         : "the mail has lines that must not go out");
        return;
    }
    if (error != -ENOMEM && error != -ENOENT) {
        outcome_set(&o, OUTCOME_REFUSED, OUTCOME_OF_RECIPIENT, "a field of this person cannot stand in a mail");
        dispatch_record(d, item, &o, "");
        return;
    }
    log_error("mail-not-written", LOG_TEXT("reason", strerror(-error)));
    dispatch_give_back(d, item);
    if (s) {
        s->exhausted = true; /* not in a circle */
        s->reopened = false;
    }
    dispatch_try_later(d);
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

void dispatch_put_off_until(struct dispatch *d, struct item *item, int64_t due_usec, const char *why) {
    dispatch_not_aside(d, item);
    if (item->sending)
        item->sending->recording++;
    pace_sooner(&d->due_usec, due_usec);
    recorder_put_off(d->recorder, item, due_usec, why);
}

static void put_off(struct dispatch *d, struct item *item, int64_t now) {
    int64_t due = clock_now_usec() + (destination_turn(d->destinations, item->domain, now) - now);
    dispatch_put_off_until(d, item, due, CLAIMER_WAITS);
}

bool dispatch_has_hands_full(const struct dispatch *d) {
    unsigned most = relays_window(d->relays) / 4;
    return d->aside >= (most ? most : 1);
}

/* Few may wait in hand for a destination that will soon take them: others are not to wait behind them. */
static bool stays_aside(struct dispatch *d, struct item *item) {
    if (!item->is_aside && dispatch_has_hands_full(d))
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
        dispatch_not_aside(d, item);
        item->taken_usec = now;
        return TURN_NOW;
    case DESTINATION_BUSY: return stays_aside(d, item) ? TURN_SOON : TURN_LATER;
    case DESTINATION_LATER: break;
    }
    if (later - now > DISPATCH_NEAR_USEC || !stays_aside(d, item))
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
bool dispatch_send_next(struct dispatch *d, struct line *line, int64_t now, int64_t *when) {
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

bool dispatch_feed_line(struct dispatch *d, struct line *line, int64_t now) {
    int64_t when = 0;
    bool any = false;
    while (dispatch_send_next(d, line, now, &when))
        any = true;
    return any;
}
