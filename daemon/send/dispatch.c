#include "send/dispatch_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "send/sending.h"

#include "base/banned.h"

void dispatch_wake(struct dispatch *d) {
    loop_post(d->post);
}

bool dispatch_resends_doubt(const struct dispatch *d) {
    return d->conf->in_doubt == CONF_IN_DOUBT_RESEND;
}

void dispatch_try_later(struct dispatch *d) {
    d->anew = true;
    pace_sooner(&d->due_usec, clock_now_usec() + DISPATCH_TROUBLE_USEC);
}

bool dispatch_under_way(struct dispatch *d, int result) {
    if (result < 0)
        dispatch_try_later(d);
    return result == 0;
}

/* ---- the turn ------------------------------------------------------------------------------------------------ */

static void watch_store(struct dispatch *d, int64_t now, int64_t *when) {
    int trouble = store_trouble(d->store);
    if (d->trouble && !trouble)
        d->handlers->on_alert(d->user, "alert-store-trouble", strerror(-d->trouble), "");
    d->trouble = trouble;
    if (trouble)
        pace_sooner(when, now + DISPATCH_TROUBLE_USEC);
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

/* Wall clock: when to survey. Where nothing is left that could be overdue, nobody wakes for it. */
static int64_t survey_due(struct dispatch *d) {
    int64_t due = d->due_usec;
    if (!d->sendings && !d->unseen && d->notices_exhausted && d->notices_claimed == 0)
        d->overdue_usec = 0;
    pace_sooner(&due, d->overdue_usec);
    return due;
}

static void set_timer(struct dispatch *d, int64_t now, int64_t when) {
    int64_t due = survey_due(d);
    if (due) {
        int64_t wait = due - clock_now_usec();
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
    bool none_comes = relays_in_flight(d->relays) == 0 && !dispatch_is_claiming(d);
    if (due && (due <= now || d->stopping || none_comes))
        dispatch_flush(d);
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
    while (dispatch_send_next(d, NULL, now, &when))
        ;
    dispatch_claim_more(d, now, &when);
    reserve(d);
    for (struct items *held; (held = relays_held(d->relays, dispatch_is_idle(d), now, &relay, &when));)
        dispatch_settle_held(d, held, false, relay);
    dispatch_settle_quiet(d, &when);
    if (d->survey_wanted && !d->surveying) {
        d->survey_wanted = false;
        dispatch_flush(d); /* what waits there falls due, too */
        d->surveying = dispatch_under_way(d, stages_survey(&d->stages));
    }
    flush_due(d, now, &when);
    pace_sooner(&when, relays_close_idle(d->relays, now));
    check_stopped(d, now, &when);
    set_timer(d, now, when);
    works_hand_over(&d->works);
}

static void on_timer(void *user) {
    struct dispatch *d = user;
    int64_t due = survey_due(d);
    if (d->trouble || (due && due <= clock_now_usec())) {
        d->due_usec = d->overdue_usec = 0;
        d->survey_wanted = true;
        if (d->unstarted)
            dispatch_start(d);
        if (d->anew)
            dispatch_look_anew(d);
    }
    turn(d);
}

static void on_work_done(void *user) {
    dispatch_wake(user);
}

static void on_relays_change(void *user) {
    dispatch_wake(user);
}

static void on_relays_alert(void *user, const char *key, const char *relay, const char *text) {
    struct dispatch *d = user;
    d->handlers->on_alert(d->user, key, relay, text);
}

static const struct relays_handlers relays_handlers = {on_relays_change, dispatch_on_outcome, dispatch_on_unsent,
                                                       on_relays_alert};

/* ---- its life ------------------------------------------------------------------------------------------------ */

static int prepare(struct dispatch *d, struct why *why) {
    int r = relays_new(d->loop, d->conf, &relays_handlers, d, why, &d->relays);
    if (r < 0)
        return r;
    r = destinations_new(&d->destinations);
    if (r == 0)
        r = claimer_new(&d->works, dispatch_on_claimed, d, &d->claimer);
    if (r == 0)
        r = recorder_new(&d->works, dispatch_on_recorded, d, &d->recorder);
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
        .stages = {.works = &d->works, .spool = spool, .on = &dispatch_stages, .user = d},
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
        dispatch_forget(d, d->sendings);
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
        dispatch_on_usage_loaded(d, -ENOMEM);
}

void dispatch_announcement(struct dispatch *d, int64_t announcement) {
    struct sending *s = dispatch_find(d, announcement);
    if (s) { /* perhaps resumed after a correction */
        s->failed = false;
        sending_reopen(s);
    }
    d->survey_wanted = true;
    dispatch_wake(d);
}

void dispatch_notices(struct dispatch *d) {
    d->notices_exhausted = false;
    dispatch_wake(d);
}

void dispatch_slow_down(struct dispatch *d, const char *domain) {
    int64_t now_usec = clock_mono_usec(), when_usec;
    /* Where it may not be written to anyway it is slow enough. */
    if (destination_take(d->destinations, view_of(domain), now_usec, &when_usec) == DESTINATION_GO &&
        destination_done(d->destinations, view_of(domain), DESTINATION_SLOW_DOWN, now_usec, now_usec))
        log_info("destination-slows-down", LOG_TEXT("domain", domain), LOG_TEXT("reason", "reports that came back"));
}

void dispatch_set_conf(struct dispatch *d, struct conf *conf) {
    struct conf *before = d->conf;
    d->conf = conf_ref(conf);
    letters_set_conf(&d->letters, conf);
    int r = relays_set_conf(d->relays, d->conf);
    if (destinations_configure(d->destinations, d->conf, clock_mono_usec()) < 0 || r < 0)
        log_error("out-of-memory");
    (void)conf_unref(before);
    for (struct sending *s = d->sendings; s; s = s->next)
        dispatch_set_relays(d, s);
    for (struct item *i = d->notices.first; i; i = i->next)
        i->relays = relays_bits(d->relays, i->notice.relays);
    d->survey_wanted = true;
    dispatch_wake(d);
}

void dispatch_stop(struct dispatch *d, int64_t deadline_mono_usec, void (*on_stopped)(void *user), void *user) {
    d->stopping = true;
    d->stop_usec = deadline_mono_usec;
    d->on_stopped = on_stopped;
    d->on_stopped_user = user;
    for (struct sending *s = d->sendings; s; s = s->next)
        dispatch_give_back_all(d, &s->waiting);
    dispatch_give_back_all(d, &d->notices);
    relays_quit(d->relays);
    dispatch_wake(d);
}

void dispatch_stats(const struct dispatch *d, struct dispatch_stats *ret) {
    *ret = (struct dispatch_stats){0};
    relays_stats(d->relays, ret);
    ret->window = dispatch_window(d);
    for (const struct sending *s = d->sendings; s; s = s->next)
        ret->claimed += sending_claimed(s);
}
