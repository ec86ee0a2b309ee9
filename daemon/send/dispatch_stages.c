/* Dispatch: the announcements that are taken up, and what the store says of them. */
#include "send/dispatch_inside.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "conf/conf.h"
#include "send/sending.h"

#include "base/banned.h"

static const int64_t again_usec = 20 * 1000; /* until what is due is looked for again */

struct sending *dispatch_find(const struct dispatch *d, int64_t id) {
    struct sending *s = d->sendings;
    while (s && s->id != id)
        s = s->next;
    return s;
}

static struct sending *take_up(struct dispatch *d, const struct announcement_row *row) {
    struct sending *s = sending_new(row);
    if (!s) {
        log_error("out-of-memory");
        dispatch_try_later(d);
        return NULL;
    }
    s->next = d->sendings;
    d->sendings = s;
    return s;
}

void dispatch_forget(struct dispatch *d, struct sending *s) {
    for (struct sending **at = &d->sendings; *at; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            break;
        }
    (void)sending_free(s);
}

void dispatch_set_relays(const struct dispatch *d, struct sending *s) {
    const struct conf_list *list = conf_find_list_id(d->conf, s->list);
    AUTOBUF struct buf names = BUF_INIT(8192);
    for (size_t i = 0; list && i < list->relays.count; i++)
        buf_printf(&names, "%s%s", i ? "," : "", list->relays.items[i]);
    s->relays = relays_bits(d->relays, buf_str(&names));
}

static void gather(struct dispatch *d, const struct announcement_row *row) {
    struct sending *s = d->stopping || dispatch_find(d, row->id) ? NULL : take_up(d, row);
    if (s)
        s->gathering = dispatch_under_way(d, stages_gather(&d->stages, row, d->conf->retry_give_up_usec));
}

static void on_gathered(void *user, int64_t id, int result, const struct why *fault) {
    struct dispatch *d = user;
    struct sending *s = dispatch_find(d, id);
    if (fault)
        dispatch_hold(d, s, fault->what);
    else if (result < 0 && result != -ESTALE)
        dispatch_try_later(d);
    s->gathering = false;
    if (result < 0)
        dispatch_forget(d, s); /* it is taken up anew, if it is still to be */
    if (result >= 0 || result == -ESTALE)
        d->survey_wanted = true;
    dispatch_wake(d);
}

static void take_sending(struct dispatch *d, const struct announcement_row *row, bool due) {
    struct sending *s = dispatch_find(d, row->id);
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
    dispatch_set_relays(d, s);
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
    case ANNOUNCEMENT_STOPPED:
    case ANNOUNCEMENT_RECURRING: break;
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
            dispatch_give_back_all(d, &s->waiting);
        }
}

void dispatch_look_anew(struct dispatch *d) {
    d->anew = d->notices_exhausted = false;
    for (struct sending *s = d->sendings; s; s = s->next)
        sending_reopen(s);
}

/* What is due is looked for at once, but not over and over: it may not be possible to send it now. */
static void look_again(struct dispatch *d, int64_t wall) {
    int64_t now = clock_mono_usec(), least = d->claimed_since ? again_usec : DISPATCH_NEAR_USEC;
    if (d->reopened_usec && now - d->reopened_usec < least) {
        pace_sooner(&d->due_usec, wall + least);
        return;
    }
    d->reopened_usec = now;
    d->claimed_since = false;
    dispatch_look_anew(d);
    d->overdue_usec = wall + DISPATCH_OVERDUE_USEC;
}

static void on_survey(void *user, const struct survey *v, int result) {
    struct dispatch *d = user;
    int64_t wall = clock_now_usec();
    d->surveying = false;
    if (result < 0) {
        dispatch_try_later(d);
        dispatch_wake(d);
        return;
    }
    bool due = v->next_usec && v->next_usec <= wall;
    for (size_t i = 0; i < v->count; i++)
        take_row(d, &v->rows[i], due, wall);
    leave_others(d, v);
    d->unseen = v->count == STAGES_LIVE_MAX;
    d->overdue_usec = 0;
    if (due)
        look_again(d, wall);
    else
        pace_sooner(&d->due_usec, v->next_usec);
    if (v->recurring_usec > wall)
        pace_sooner(&d->due_usec, v->recurring_usec);
    else if (v->recurring_usec && d->handlers->on_recurring && !d->stopping)
        d->handlers->on_recurring(d->user);
    dispatch_wake(d);
}

static void on_settled(void *user, int64_t id, int result, bool finished) {
    struct dispatch *d = user;
    struct sending *s = dispatch_find(d, id);
    s->settling = false;
    if (result < 0)
        dispatch_try_later(d);
    if (finished) {
        log_info("announcement-finished", LOG_NUM("announcement", id));
        s->active = false; /* forgotten when it is quiet: it may have been reopened meanwhile, and be claiming */
        d->handlers->on_finished(d->user, id);
    }
    dispatch_wake(d);
}

static void on_held(void *user, int64_t id) {
    struct dispatch *d = user;
    (void)id;
    d->survey_wanted = true;
    dispatch_wake(d);
}

static void on_reserved(void *user, const struct relays_reservation *what, bool durable) {
    struct dispatch *d = user;
    relays_reserved(d->relays, what, durable);
    dispatch_wake(d);
}

static void on_usage(void *user, const char *relay, int64_t hour, uint64_t messages) {
    struct dispatch *d = user;
    relays_load_usage(d->relays, relay, hour, messages);
}

/* Nothing is sent before it is known what was sent today. */
void dispatch_on_usage_loaded(void *user, int result) {
    struct dispatch *d = user;
    d->started = result == 0;
    d->survey_wanted |= d->started;
    d->unstarted = result < 0;
    if (result < 0)
        dispatch_try_later(d);
    dispatch_wake(d);
}

const struct stages_handlers dispatch_stages = {
    .on_survey = on_survey,
    .on_gathered = on_gathered,
    .on_loaded = dispatch_on_loaded,
    .on_settled = on_settled,
    .on_notices = dispatch_on_notices,
    .on_usage = on_usage,
    .on_usage_loaded = dispatch_on_usage_loaded,
    .on_held = on_held,
    .on_reserved = on_reserved,
};

/* Those that have nothing more to try now are over, or wait; those that were paused or stopped are forgotten. */
void dispatch_settle_quiet(struct dispatch *d, int64_t *when) {
    int64_t wall = clock_now_usec(), now = clock_mono_usec();
    for (struct sending *s = d->sendings, *next; s; s = next) {
        next = s->next;
        if (s->active && s->send_until_usec && s->send_until_usec <= wall) {
            dispatch_give_back_all(d, &s->waiting);
            s->exhausted = true;
        } else if (s->active && s->send_until_usec) {
            pace_sooner(when, now + (s->send_until_usec - wall));
        }
        if (s->gathering || s->loading || s->settling || !sending_is_quiet(s))
            continue;
        if (!s->active && !s->failed)
            dispatch_forget(d, s);
        else if (s->active && s->exhausted && !s->settled && !d->stopping)
            s->settling = s->settled = dispatch_under_way(d, stages_settle(&d->stages, s->id, d->conf));
    }
}

/* Nothing waits and nothing more can be claimed now. */
bool dispatch_is_idle(const struct dispatch *d) {
    bool idle = d->notices.count == 0 && !d->notices_claiming;
    for (const struct sending *s = d->sendings; s && idle; s = s->next)
        idle = s->waiting.count == 0 && !s->claiming && (!s->active || s->exhausted);
    return idle || d->stopping;
}
