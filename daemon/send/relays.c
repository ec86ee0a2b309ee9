#include "send/relays.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "send/connect.h"
#include "send/pace.h"

enum { SESSIONS_MAX = 256 };
static const int64_t idle_usec = 30 * USEC_PER_SEC;

struct relay;

struct slot {
    struct session *session; /* NULL: free */
    struct relay *relay;
    bool ready, leaving;
    int64_t last_usec; /* when something was last sent or it became ready */
    struct outcome closed;
    bool is_closed; /* to be freed on the next post: never inside its own callback */
};

struct relay {
    struct relays *all;
    const struct conf_relay *conf;
    struct pace_relay pace;
    struct pace_bucket bucket;
    struct pace_daily daily;
    struct slot slots[SESSIONS_MAX];
    char failure[OUTCOME_TEXT_MAX + 1];
    uint64_t counts[4]; /* by outcome_class */
};

struct relays {
    struct loop *loop;
    struct conf *conf;
    struct connector *connector;
    const struct relays_handlers *handlers;
    void *user;
    struct relay **items; /* in conf's order: by priority */
    size_t count;
    struct relay **retired; /* of earlier configurations, until their sessions are gone */
    size_t retired_count;
    struct loop_source *sweep;
};

static void on_ready(void *user, struct session *s);
static void on_outcome(void *user, struct session *s, uint64_t cookie, const struct outcome *outcome);
static void on_unsent(void *user, struct session *s, uint64_t cookie);
static void on_closed(void *user, struct session *s, const struct outcome *why);
static const struct session_handlers session_handlers = {on_ready, on_outcome, on_unsent, on_closed};

static struct relay *relay_new(struct relays *all, const struct conf_relay *conf) {
    struct relay *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->all = all;
    r->conf = conf;
    pace_relay_init(&r->pace);
    pace_bucket_init(&r->bucket, conf->rate, clock_mono_usec());
    pace_daily_init(&r->daily, conf->daily_limit);
    return r;
}

static unsigned count_sessions(const struct relay *r) {
    unsigned n = 0;
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        n += r->slots[i].session != NULL;
    return n;
}

static unsigned count_in_flight(const struct relay *r) {
    unsigned n = 0;
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        n += r->slots[i].session ? session_in_flight(r->slots[i].session) : 0;
    return n;
}

static void relay_free(struct relay *r) {
    for (size_t i = 0; r && i < SESSIONS_MAX; i++)
        (void)session_free(r->slots[i].session);
    free(r);
}

/* Closed sessions are freed from here, after the event in which they closed. */
static void on_sweep(void *user) {
    struct relays *all = user;
    for (size_t pass = 0; pass < 2; pass++) {
        struct relay **list = pass ? all->retired : all->items;
        for (size_t i = 0; i < (pass ? all->retired_count : all->count); i++)
            for (size_t n = 0; n < SESSIONS_MAX; n++)
                if (list[i]->slots[n].is_closed) {
                    (void)session_free(list[i]->slots[n].session);
                    list[i]->slots[n] = (struct slot){0};
                }
    }
    size_t kept = 0;
    for (size_t i = 0; i < all->retired_count; i++)
        if (count_sessions(all->retired[i]))
            all->retired[kept++] = all->retired[i];
        else
            relay_free(all->retired[i]);
    all->retired_count = kept;
    all->handlers->on_ready(all->user);
}

int relays_new(struct loop *loop, struct conf *conf, const struct relays_handlers *handlers, void *user,
               struct why *why, struct relays **ret) {
    struct relays *r = calloc(1, sizeof *r);
    int error = r ? 0 : -ENOMEM;
    if (error == 0) {
        r->loop = loop;
        r->handlers = handlers;
        r->user = user;
        error = connector_new(loop, &r->connector);
    }
    if (error == 0)
        error = loop_add_post(loop, on_sweep, r, &r->sweep);
    if (error == 0)
        error = relays_set_conf(r, conf);
    if (error < 0) {
        (void)relays_free(r);
        return why_set(why, error, "cannot prepare the relays: %s", strerror(-error));
    }
    *ret = r;
    return 0;
}

struct relays *relays_free(struct relays *r) {
    if (!r)
        return NULL;
    for (size_t i = 0; i < r->count; i++)
        relay_free(r->items[i]);
    for (size_t i = 0; i < r->retired_count; i++)
        relay_free(r->retired[i]);
    free(r->items);
    free(r->retired);
    (void)connector_free(r->connector);
    (void)loop_remove(r->sweep);
    (void)conf_unref(r->conf);
    free(r);
    return NULL;
}

static bool same_place(const struct conf_relay *a, const struct conf_relay *b) {
    return strcmp(a->id, b->id) == 0 && strcmp(a->url, b->url) == 0 && a->tls == b->tls &&
           strcmp(a->username, b->username) == 0 && strcmp(a->password_file, b->password_file) == 0 &&
           strcmp(a->ca_file, b->ca_file) == 0 && a->rate.count == b->rate.count &&
           a->rate.per_usec == b->rate.per_usec && a->daily_limit == b->daily_limit;
}

static void quit_all(struct relay *r) {
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (r->slots[i].session && !r->slots[i].leaving) {
            r->slots[i].leaving = true;
            session_quit(r->slots[i].session);
        }
}

int relays_set_conf(struct relays *r, struct conf *conf) {
    struct relay **items = calloc(conf->relay_count + 1, sizeof(struct relay *));
    struct relay **retired = reallocarray(r->retired, r->retired_count + r->count + 1, sizeof(struct relay *));
    if (retired)
        r->retired = retired;
    if (!items || !retired) {
        free(items);
        return -ENOMEM;
    }
    size_t count = 0;
    for (size_t i = 0; i < conf->relay_count; i++) {
        struct relay *kept = NULL;
        for (size_t k = 0; k < r->count && !kept; k++)
            if (r->items[k] && same_place(r->items[k]->conf, &conf->relays[i])) {
                kept = r->items[k];
                r->items[k] = NULL;
                kept->conf = &conf->relays[i];
                pace_relay_init(&kept->pace); /* whoever reloads has mended something: it is tried at once */
            }
        items[count] = kept ? kept : relay_new(r, &conf->relays[i]);
        if (items[count])
            count++;
    }
    for (size_t k = 0; k < r->count; k++)
        if (r->items[k]) {
            quit_all(r->items[k]);
            r->retired[r->retired_count++] = r->items[k];
        }
    free(r->items);
    r->items = items;
    r->count = count;
    /* Sessions of retired relays still look at the earlier configuration: each holds a reference of its own. */
    struct conf *before = r->conf;
    r->conf = conf_ref(conf);
    (void)conf_unref(before);
    loop_post(r->sweep);
    return count == conf->relay_count ? 0 : -ENOMEM;
}

static bool is_named(const char *names, const char *id) {
    struct view rest = view_of(names), name;
    if (names[0] == '\0')
        return true;
    while (view_split(&rest, ',', &name))
        if (view_eq_str(name, id))
            return true;
    return false;
}

static void sooner(int64_t *when, int64_t other) {
    if (other > 0 && (*when == 0 || other < *when))
        *when = other;
}

static bool is_alive(struct relay *r, int64_t now, int64_t *when) {
    if (pace_relay_state(&r->pace, now) == PACE_RESTING) {
        sooner(when, r->pace.until_usec);
        return false;
    }
    if (pace_daily_left(&r->daily, clock_now_usec()) == 0) {
        sooner(when, now + pace_daily_wait_usec(&r->daily, clock_now_usec()));
        return false;
    }
    return true;
}

bool relays_alive(struct relays *r, const char *names, int64_t now_usec, int64_t *ret_when) {
    for (size_t i = 0; i < r->count; i++)
        if (is_named(names, r->items[i]->conf->id) && is_alive(r->items[i], now_usec, ret_when))
            return true;
    return false;
}

/* A session of this relay that takes a message now. *ret_alive: the relay is worth waiting for. */
static struct session *pick_of(struct relay *r, int64_t now, int64_t *when, bool *ret_alive) {
    *ret_alive = is_alive(r, now, when);
    if (!*ret_alive)
        return NULL;
    if (pace_bucket_tokens(&r->bucket, now) == 0) {
        sooner(when, pace_bucket_when(&r->bucket, now));
        return NULL;
    }
    if (r->pace.state == PACE_TRYING && count_in_flight(r) > 0)
        return NULL;
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct slot *s = &r->slots[i];
        if (s->session && s->ready && !s->leaving && !s->is_closed && session_room(s->session) > 0)
            return s->session;
    }
    return NULL;
}

struct session *relays_pick(struct relays *r, const char *names, int64_t now_usec, int64_t *ret_when) {
    bool level_alive = false;
    unsigned level = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct relay *relay = r->items[i];
        bool alive;
        if (!is_named(names, relay->conf->id))
            continue;
        if (level_alive && relay->conf->priority != level)
            return NULL; /* a better one is busy or connecting: no need for the next */
        struct session *s = pick_of(relay, now_usec, ret_when, &alive);
        if (s)
            return s;
        level_alive |= alive;
        level = relay->conf->priority;
    }
    return NULL;
}

static struct slot *slot_of(struct relays *r, const struct session *s) {
    for (size_t pass = 0; pass < 2; pass++) {
        struct relay **list = pass ? r->retired : r->items;
        for (size_t i = 0; i < (pass ? r->retired_count : r->count); i++)
            for (size_t n = 0; n < SESSIONS_MAX; n++)
                if (list[i]->slots[n].session == s)
                    return &list[i]->slots[n];
    }
    return NULL;
}

void relays_sent(struct relays *r, struct session *s, int64_t now_usec) {
    struct slot *slot = slot_of(r, s);
    (void)pace_bucket_take(&slot->relay->bucket, now_usec); /* relays_pick() saw one */
    pace_daily_take(&slot->relay->daily, clock_now_usec());
    slot->last_usec = now_usec;
}

static void open_session(struct relay *r, int64_t now) {
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct slot *s = &r->slots[i];
        if (s->session)
            continue;
        *s = (struct slot){.relay = r, .last_usec = now};
        int error =
            session_new(r->all->loop, r->all->connector, r->all->conf, r->conf, &session_handlers, s, &s->session);
        if (error < 0) {
            s->session = NULL;
            log_error("session-not-begun", LOG_TEXT("relay", r->conf->id), LOG_TEXT("reason", strerror(-error)));
            (void)pace_relay_failed(&r->pace, false, now);
        }
        return;
    }
}

void relays_connect(struct relays *r, const char *names, unsigned waiting, int64_t now_usec) {
    bool level_alive = false;
    unsigned level = 0;
    for (size_t i = 0; i < r->count && waiting; i++) {
        struct relay *relay = r->items[i];
        if (!is_named(names, relay->conf->id))
            continue;
        if (level_alive && relay->conf->priority != level)
            return;
        if (pace_relay_state(&relay->pace, now_usec) == PACE_RESTING ||
            pace_daily_left(&relay->daily, clock_now_usec()) == 0)
            continue;
        level_alive = true;
        level = relay->conf->priority;
        unsigned have = 0, allowed = relay->pace.state == PACE_TRYING ? 1 : relay->conf->connections;
        for (size_t n = 0; n < SESSIONS_MAX; n++)
            have += relay->slots[n].session && !relay->slots[n].leaving && !relay->slots[n].is_closed;
        for (; have < allowed && have < waiting && have < SESSIONS_MAX; have++)
            open_session(relay, now_usec);
    }
}

static void on_ready(void *user, struct session *s) {
    (void)s;
    struct slot *slot = user;
    slot->ready = true;
    slot->last_usec = clock_mono_usec();
    slot->relay->all->handlers->on_ready(slot->relay->all->user);
}

static void on_outcome(void *user, struct session *s, uint64_t cookie, const struct outcome *outcome) {
    struct slot *slot = user;
    slot->relay->counts[outcome->class]++;
    slot->relay->all->handlers->on_outcome(slot->relay->all->user, s, cookie, outcome);
}

static void on_unsent(void *user, struct session *s, uint64_t cookie) {
    (void)s;
    struct slot *slot = user;
    slot->relay->all->handlers->on_unsent(slot->relay->all->user, cookie);
}

static void keep_failure(struct relay *r, const struct outcome *o) {
    struct buf text = BUF_INIT(sizeof r->failure - 1);
    if (o->code)
        buf_printf(&text, "%u %s%s", o->code, o->status, o->status[0] ? " " : "");
    buf_puts(&text, o->text);
    (void)memcpy(r->failure, buf_str(&text), text.len + 1);
    buf_done(&text);
}

static void relay_failed(struct relay *r, const struct outcome *o, int64_t now) {
    bool of_sender = o->subject == OUTCOME_OF_SENDER;
    bool was_open = r->pace.state == PACE_OPEN;
    keep_failure(r, o);
    if (pace_relay_failed(&r->pace, of_sender, now))
        r->all->handlers->on_alert(r->all->user, of_sender ? "alert-relay-paused" : "alert-relay-down", r->conf->id,
                                   r->failure);
    if (was_open)
        log_warning("relay-rests", LOG_TEXT("relay", r->conf->id), LOG_TEXT("reason", r->failure),
                    LOG_NUM("seconds", r->pace.rest_usec / USEC_PER_SEC));
}

static void on_closed(void *user, struct session *s, const struct outcome *why) {
    (void)s;
    struct slot *slot = user;
    struct relay *r = slot->relay;
    /* A session that was ready and is closed later (idle, 421 after good work) says nothing of the relay. */
    if (!slot->ready && why)
        relay_failed(r, why, clock_mono_usec());
    slot->is_closed = true;
    loop_post(r->all->sweep);
}

bool relays_judge(struct relays *r, struct session *s, const struct outcome *outcome, int64_t now_usec,
                  unsigned *ret_run) {
    struct slot *slot = slot_of(r, s);
    struct relay *relay = slot->relay;
    *ret_run = 0;
    switch (outcome->class) {
    case OUTCOME_DELIVERED:
        if (pace_relay_worked(&relay->pace))
            log_info("relay-works", LOG_TEXT("relay", relay->conf->id));
        relay->failure[0] = '\0';
        return false;
    case OUTCOME_REFUSED:
        if (outcome->subject == OUTCOME_OF_SENDER)
            break;
        *ret_run = outcome->code ? pace_relay_refused(&relay->pace, outcome) : 0;
        if (*ret_run < PACE_RUN)
            return false;
        break;
    case OUTCOME_DEFERRED:
        if (outcome->subject == OUTCOME_OF_SENDER)
            break;
        /* A policy that one destination has is its own affair; the same words ten times in a row are about us. */
        if (outcome->code >= 500 && pace_relay_refused(&relay->pace, outcome) >= PACE_RUN)
            break;
        if (outcome->code < 500)
            pace_relay_run_ends(&relay->pace);
        return false;
    case OUTCOME_IN_DOUBT: pace_relay_run_ends(&relay->pace); return false;
    }
    struct outcome of_us = *outcome;
    of_us.subject = OUTCOME_OF_SENDER;
    relay_failed(relay, &of_us, now_usec);
    return true;
}

int64_t relays_close_idle(struct relays *r, int64_t now_usec) {
    int64_t next = 0;
    for (size_t i = 0; i < r->count; i++)
        for (size_t n = 0; n < SESSIONS_MAX; n++) {
            struct slot *s = &r->items[i]->slots[n];
            if (!s->session || !s->ready || s->leaving || s->is_closed || session_in_flight(s->session))
                continue;
            if (s->last_usec + idle_usec <= now_usec) {
                s->leaving = true;
                session_quit(s->session);
            } else
                sooner(&next, s->last_usec + idle_usec);
        }
    return next;
}

void relays_quit(struct relays *r) {
    for (size_t i = 0; i < r->count; i++)
        quit_all(r->items[i]);
}

static void abort_all(struct relay *r) {
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (r->slots[i].session && !r->slots[i].is_closed)
            session_abort(r->slots[i].session);
}

void relays_abort(struct relays *r) {
    for (size_t i = 0; i < r->count; i++)
        abort_all(r->items[i]);
    for (size_t i = 0; i < r->retired_count; i++)
        abort_all(r->retired[i]);
}

unsigned relays_in_flight(const struct relays *r) {
    unsigned n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += count_in_flight(r->items[i]);
    for (size_t i = 0; i < r->retired_count; i++)
        n += count_in_flight(r->retired[i]);
    return n;
}

unsigned relays_sessions(const struct relays *r) {
    unsigned n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += count_sessions(r->items[i]);
    return n;
}

unsigned relays_window(const struct relays *r) {
    unsigned n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += 2 * r->items[i]->conf->connections * r->items[i]->conf->in_flight;
    return n;
}

void relays_load_usage(struct relays *r, const char *relay, int64_t hour, uint32_t messages, int64_t now_wall_usec) {
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->items[i]->conf->id, relay) == 0)
            pace_daily_load(&r->items[i]->daily, hour, messages, now_wall_usec);
}

void relays_stats(const struct relays *r, struct dispatch_stats *ret) {
    for (size_t i = 0; i < r->count && ret->relay_count < DISPATCH_RELAYS_MAX; i++) {
        const struct relay *relay = r->items[i];
        ret->relays[ret->relay_count++] = (struct dispatch_relay){
            .name = relay->conf->id,
            .state = pace_state_name(relay->pace.state),
            .sessions = count_sessions(relay),
            .in_flight = count_in_flight(relay),
            .failure = relay->failure,
            .delivered = relay->counts[OUTCOME_DELIVERED],
            .deferred = relay->counts[OUTCOME_DEFERRED],
            .refused = relay->counts[OUTCOME_REFUSED],
            .in_doubt = relay->counts[OUTCOME_IN_DOUBT],
        };
    }
    ret->window = relays_window(r);
}
