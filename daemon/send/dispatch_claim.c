/* Dispatch: mails are loaded, recipients and notices claimed, as lines are ready for them. */
#include "send/dispatch_inside.h"

#include "base/clock.h"
#include "base/number.h"
#include "send/sending.h"

enum {
    NOTICES_MAX = 8, /* claimed at once */
    LOADED_MAX = 16, /* announcements with their mails in memory */
    LOADED_MAX_BYTES = 256 << 20,
};
static const int64_t turn_usec = 30 * USEC_PER_SEC; /* how long mails stay loaded where others wait */

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
            bytes += o->loading ? 0 : o->bytes; /* which are the store's thread's meanwhile */
        }
        if (loaded && (loaded >= LOADED_MAX || bytes >= LOADED_MAX_BYTES)) {
            make_room(d, now, when);
            continue;
        }
        s->loading = dispatch_under_way(d, stages_load(&d->stages, s));
    }
}

unsigned dispatch_window(const struct dispatch *d) {
    return relays_window(d->relays) + DISPATCH_COMMIT;
}

/* What the window bounds: who will be claimed and have no outcome when the commit is durable that claims next. What is
 * being recorded is no part of it: it is in that commit, or in an earlier one. */
static unsigned claimed(const struct dispatch *d) {
    unsigned n = 0;
    for (const struct sending *s = d->sendings; s; s = s->next)
        n += s->waiting.count + s->on_wire + s->held + s->asked;
    return n;
}

bool dispatch_is_claiming(const struct dispatch *d) {
    bool any = d->notices_claiming;
    for (const struct sending *s = d->sendings; s; s = s->next)
        any |= s->claiming;
    return any;
}

/* What became of earlier ones goes with each claim, in the same commit. */
void dispatch_flush(struct dispatch *d) {
    recorder_flush(d->recorder);
    for (struct sending *s = d->sendings; s; s = s->next)
        s->answered = 0;
}

/* Those whose relays rest, or have to wait long, make room for others. */
static void connect_notices(struct dispatch *d, int64_t now) {
    for (struct item **at = &d->notices.first; *at;) {
        struct item *item = *at;
        int64_t when = 0;
        relays_connect(d->relays, item->relays, now);
        if (relays_wait(d->relays, item->relays, now, &when) && when - now > DISPATCH_NEAR_USEC) {
            int64_t wait = when - now < DISPATCH_OVERDUE_USEC ? when - now : DISPATCH_OVERDUE_USEC;
            dispatch_put_off_until(d, items_take(&d->notices, at), clock_now_usec() + wait, "waits for its relay");
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
    dispatch_flush(d);
    d->notices_claiming = dispatch_under_way(d, stages_claim_notices(&d->stages, NOTICES_MAX - d->notices_claimed));
}

/* Recipients are claimed as lines are ready for them; without one, a line first. */
static void claim_for(struct dispatch *d, struct sending *s, unsigned sharers, int64_t now, int64_t *when) {
    if (s->waiting.count == 0 && (s->exhausted || s->resting))
        return;
    if (!relays_alive(d->relays, s->relays, now)) {
        dispatch_give_back_all(d, &s->waiting);
        (void)relays_appetite(d->relays, s->relays, 0, now, when); /* for when */
        return;
    }
    relays_connect(d->relays, s->relays, now);
    unsigned appetite = relays_appetite(d->relays, s->relays, sharers * s->answered, now, when);
    unsigned have = claimed(d), window = dispatch_window(d), target = appetite / sharers;
    unsigned ready = s->waiting.count - s->aside;
    if (target == 0)
        target = appetite > 0;
    if (s->exhausted || s->resting || s->claiming || 8 * ready > target || ready >= target || have >= window)
        return;
    unsigned max = target - ready;
    if (max > window - have)
        max = window - have;
    dispatch_flush(d);
    struct destination_shut shut[DESTINATIONS_SHUT_MAX];
    size_t n = destinations_shut(d->destinations, dispatch_has_hands_full(d), DISPATCH_NEAR_USEC, now, shut);
    s->claiming = dispatch_under_way(d, claimer_claim(d->claimer, s, max, dispatch_resends_doubt(d), shut, n));
    s->asked = s->claiming ? max : 0;
    s->reopened = false;
}

void dispatch_claim_more(struct dispatch *d, int64_t now, int64_t *when) {
    unsigned sharers = 0;
    if (d->stopping || !d->started || d->trouble || recorder_is_late(d->recorder))
        return;
    claim_notices(d, now);
    load_more(d, now, when);
    for (const struct sending *s = d->sendings; s; s = s->next)
        sharers += s->active && s->loaded && (!s->exhausted || s->waiting.count);
    for (struct sending *s = d->sendings; s; s = s->next)
        if (s->active && s->loaded)
            claim_for(d, s, sharers ? sharers : 1, now, when);
}

void dispatch_on_claimed(void *user, struct sending *s, int result, struct items *items, bool more,
                         const struct destination_shut *shut, size_t shut_count) {
    struct dispatch *d = user;
    s->claiming = false;
    s->asked = 0;
    s->exhausted = result < 0 || (!more && !s->reopened);
    d->claimed_since |= items->count > 0;
    for (size_t i = 0; i < shut_count; i++) {
        destination_shut_done(d->destinations, &shut[i]);
        d->claimed_since |= shut[i].count > 0;
    }
    if (s->exhausted)
        d->survey_wanted = true; /* what is due next? */
    if (result < 0)
        dispatch_try_later(d);
    for (struct item *i; (i = items_pop(items));)
        items_push(&s->waiting, i);
    if (!s->active || d->stopping)
        dispatch_give_back_all(d, &s->waiting);
    dispatch_wake(d);
}

void dispatch_on_notices(void *user, int result, struct items *notices, bool more) {
    struct dispatch *d = user;
    d->notices_claiming = false;
    d->notices_exhausted = result < 0 || !more;
    d->claimed_since |= notices->count > 0;
    if (d->notices_exhausted)
        d->survey_wanted = true;
    if (result < 0)
        dispatch_try_later(d);
    for (struct item *i; (i = items_pop(notices));) {
        i->relays = relays_bits(d->relays, i->notice.relays);
        d->notices_claimed++;
        if (d->stopping)
            dispatch_give_back(d, i);
        else
            items_push(&d->notices, i);
    }
    dispatch_wake(d);
}

void dispatch_on_loaded(void *user, struct sending *s, int result, const struct why *fault) {
    struct dispatch *d = user;
    s->loading = false;
    if (result == 0) {
        s->loaded = true;
        s->loaded_usec = clock_mono_usec();
    } else {
        sending_unload(s);
        s->failed = fault != NULL;
        if (fault)
            dispatch_hold(d, s, fault->what);
        else
            dispatch_try_later(d);
        s->exhausted |= !fault;
    }
    dispatch_wake(d);
}
