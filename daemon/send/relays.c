#include "send/relays.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "send/connect.h"
#include "send/pace.h"

#include "base/banned.h"

/* A line that lasted less, and did nothing, failed. */
static const int64_t short_life_usec = 5 * USEC_PER_SEC;
/* Claims take a moment: rate tokens of so near a future count as in hand. */
static const int64_t soon_usec = 50 * 1000;
/* The wall clock against the monotonic one: less is none of our business. */
static const int64_t clock_jump_usec = 30 * USEC_PER_SEC;

struct line {
    struct line *next;
    struct relay *relay;
    struct session *session;
    bool ready, leaving;
    bool given, answered; /* a message; one that got a reply */
    bool useful;          /* one that got a reply of a relay that works */
    bool closed;          /* to be freed by on_sweep(): never inside its own callback */
    int64_t since_usec;   /* when it became ready */
    int64_t last_usec;    /* when it last had something to do */
};

struct relay {
    struct relays *all;
    struct conf *owner; /* of conf: a reference */
    const struct conf_relay *conf;
    bool retired; /* of an earlier configuration: goes with its last line */
    struct pace_relay pace;
    struct pace_bucket bucket;
    struct pace_daily daily;
    unsigned wanted; /* so many could be sent, as far as lines and rate go */
    bool reserving, giving_back;
    struct line *lines;
    struct items held;
    int64_t answered_usec;
    unsigned useless; /* lines in a row that a 421 ended and that were not useful */
    char failure[OUTCOME_TEXT_MAX + 32];
    uint64_t counts[4]; /* by outcome_class */
};

enum { RELAYS_MAX = DISPATCH_RELAYS_MAX, USELESS_MAX = 3 };

struct relays {
    struct loop *loop;
    struct conf *conf;
    struct connector *connector;
    const struct relays_handlers *handlers;
    void *user;
    struct relay *items[RELAYS_MAX]; /* in conf's order: by priority */
    size_t count;
    struct relay **retired;
    size_t retired_count;
    struct loop_source *sweep;
    int64_t clock_usec; /* of the wall when the monotonic one was 0 */
};
static_assert((int)CONF_RELAYS_MAX <= (int)RELAYS_MAX && (int)RELAYS_MAX <= 64, "relays are the bits of a word");

static const struct session_handlers session_handlers;

/* ---- lines --------------------------------------------------------------------------------------------------- */

static bool is_usable(const struct line *l) {
    return l->ready && !l->leaving && !l->closed;
}

static unsigned count_lines(const struct relay *r) {
    unsigned n = 0;
    for (const struct line *l = r->lines; l; l = l->next)
        n += !l->closed;
    return n;
}

static unsigned count_in_flight(const struct relay *r) {
    unsigned n = 0;
    for (const struct line *l = r->lines; l; l = l->next)
        n += l->closed ? 0 : session_in_flight(l->session);
    return n;
}

static void free_lines(struct relay *r, bool all) {
    for (struct line **at = &r->lines; *at;) {
        struct line *l = *at;
        if (!all && !l->closed) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        (void)session_free(l->session);
        free(l);
    }
}

static void quit_lines(struct relay *r) {
    for (struct line *l = r->lines; l; l = l->next)
        if (!l->leaving && !l->closed) {
            l->leaving = true;
            session_quit(l->session);
        }
}

static void open_line(struct relay *r, int64_t now_usec) {
    struct relays *all = r->all;
    struct line *l = calloc(1, sizeof *l);
    int error = l ? 0 : -ENOMEM;
    if (l) {
        l->relay = r;
        l->last_usec = now_usec;
        error = session_new(all->loop, all->connector, all->conf, r->conf, &session_handlers, l, &l->session);
    }
    if (error < 0) {
        log_error("session-not-begun", LOG_TEXT("relay", r->conf->id), LOG_TEXT("reason", strerror(-error)));
        (void)pace_relay_failed(&r->pace, false, all->conf->relay_rest_usec, now_usec);
        free(l);
        return;
    }
    l->next = r->lines;
    r->lines = l;
}

const char *line_relay(const struct line *line) {
    return line->relay->conf->id;
}

struct items *line_held(struct line *line) {
    return &line->relay->held;
}

/* ---- the relays of a configuration --------------------------------------------------------------------------- */

static struct relay *relay_new(struct relays *all, struct conf *owner, const struct conf_relay *conf) {
    struct relay *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->all = all;
    r->owner = conf_ref(owner);
    r->conf = conf;
    pace_relay_init(&r->pace);
    pace_bucket_init(&r->bucket, conf->rate, clock_mono_usec());
    pace_daily_init(&r->daily, conf->daily_limit);
    items_init(&r->held);
    return r;
}

static void relay_free(struct relay *r) {
    if (r) {
        free_lines(r, true);
        items_free(&r->held);
        (void)conf_unref(r->owner);
        free(r);
    }
}

/* Closed lines are freed from here, after the event in which they closed; and retired relays with their last one. */
static void on_sweep(void *user) {
    struct relays *all = user;
    for (size_t i = 0; i < all->count; i++)
        free_lines(all->items[i], false);
    size_t kept = 0;
    for (size_t i = 0; i < all->retired_count; i++) {
        struct relay *r = all->retired[i];
        free_lines(r, false);
        if (r->lines || r->held.count)
            all->retired[kept++] = r;
        else
            relay_free(r);
    }
    all->retired_count = kept;
    all->handlers->on_change(all->user);
}

int relays_new(struct loop *loop, struct conf *conf, const struct relays_handlers *handlers, void *user,
               struct why *why, struct relays **ret) {
    struct relays *r = calloc(1, sizeof *r);
    int error = r ? 0 : -ENOMEM;
    if (error == 0) {
        r->loop = loop;
        r->clock_usec = clock_now_usec() - clock_mono_usec();
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
    free(r->retired);
    (void)connector_free(r->connector);
    (void)loop_remove(r->sweep);
    (void)conf_unref(r->conf);
    free(r);
    return NULL;
}

static bool same(const char *a, const char *b) {
    return strcmp(a, b) == 0;
}

/* Whether its open lines, its rest and what it has used still mean the same. */
static bool is_same_place(const struct conf_relay *a, const struct conf_relay *b) {
    return same(a->id, b->id) && same(a->url, b->url) && a->tls == b->tls && same(a->username, b->username) &&
           same(a->password_file, b->password_file) && same(a->ca_file, b->ca_file) && same(a->ehlo, b->ehlo) &&
           a->in_flight == b->in_flight;
}

static void change_limits(struct relay *r, struct conf *owner, const struct conf_relay *to) {
    struct conf *before = r->owner;
    if (r->conf->rate.count != to->rate.count || r->conf->rate.per_usec != to->rate.per_usec)
        pace_bucket_init(&r->bucket, to->rate, clock_mono_usec());
    r->daily.limit = to->daily_limit;
    r->conf = to;
    r->owner = conf_ref(owner);
    (void)conf_unref(before);
}

/* The day's usage goes on with a relay of the same name. */
static struct relay *take_over(struct relays *r, struct conf *owner, const struct conf_relay *conf) {
    for (size_t i = 0; i < r->count; i++) {
        struct relay *old = r->items[i];
        if (!old || !same(old->conf->id, conf->id))
            continue;
        if (is_same_place(old->conf, conf)) {
            r->items[i] = NULL;
            change_limits(old, owner, conf);
            pace_relay_init(&old->pace); /* whoever reloads may have mended something: it is tried at once */
            return old;
        }
        struct relay *fresh = relay_new(r, owner, conf);
        if (fresh) {
            fresh->daily = old->daily;
            fresh->daily.credit = 0; /* the old one's messages may be using it */
            fresh->daily.limit = conf->daily_limit;
        }
        return fresh;
    }
    return relay_new(r, owner, conf);
}

static void retire(struct relays *all, struct relay *r) {
    if (!r)
        return;
    r->retired = true;
    quit_lines(r);
    all->retired[all->retired_count++] = r;
}

int relays_set_conf(struct relays *r, struct conf *conf) {
    struct relay *items[RELAYS_MAX], **retired;
    retired = reallocarray(r->retired, r->retired_count + r->count + 1, sizeof(struct relay *));
    if (!retired)
        return -ENOMEM;
    r->retired = retired;
    size_t count = 0;
    for (size_t i = 0; i < conf->relay_count; i++)
        if ((items[count] = take_over(r, conf, &conf->relays[i])))
            count++;
    for (size_t i = 0; i < r->count; i++)
        retire(r, r->items[i]);
    memcpy(r->items, items, count * sizeof items[0]);
    r->count = count;
    struct conf *before = r->conf;
    r->conf = conf_ref(conf);
    (void)conf_unref(before);
    loop_post(r->sweep);
    return count == conf->relay_count ? 0 : -ENOMEM;
}

void relays_load_usage(struct relays *r, const char *relay, int64_t hour, uint64_t messages) {
    for (size_t i = 0; i < r->count; i++)
        if (same(r->items[i]->conf->id, relay))
            pace_daily_load(&r->items[i]->daily, hour, messages < UINT32_MAX ? (uint32_t)messages : UINT32_MAX,
                            clock_now_usec());
}

/* In blocks as large as what may be in flight: one write for each, together with the claims that it is for. */
static bool reserve(struct relay *r, int64_t wall, struct relays_reservation *ret) {
    unsigned credit = pace_daily_credit(&r->daily, wall);
    if (r->reserving || r->daily.limit == 0)
        return false;
    bool stale = credit == 0 && r->daily.credit > 0;
    if (stale || r->giving_back)
        ret->messages = -(int64_t)pace_daily_give_back(&r->daily, &ret->hour);
    if ((stale || r->giving_back) && ret->messages < 0)
        return true;
    unsigned wanted = r->wanted;
    r->wanted = 0;
    if (r->giving_back || 2 * credit >= wanted)
        return false;
    ret->messages = pace_daily_reserve(&r->daily, wanted - credit, wall, &ret->hour);
    r->reserving = ret->messages > 0;
    return r->reserving;
}

bool relays_reserve(struct relays *r, struct relays_reservation *ret) {
    int64_t wall = clock_now_usec();
    for (size_t i = 0; i < r->count; i++)
        if (reserve(r->items[i], wall, ret)) {
            (void)snprintf(ret->relay, sizeof ret->relay, "%s", r->items[i]->conf->id); /* names are shorter */
            return true;
        }
    return false;
}

void relays_reserved(struct relays *r, const struct relays_reservation *reservation, bool durable) {
    for (size_t i = 0; i < r->count && reservation->messages > 0; i++)
        if (same(r->items[i]->conf->id, reservation->relay)) {
            pace_daily_reserved(&r->items[i]->daily, reservation->hour, (unsigned)reservation->messages, durable);
            r->items[i]->reserving = false;
        }
}

void relays_give_back_reserved(struct relays *r) {
    for (size_t i = 0; i < r->count; i++)
        r->items[i]->giving_back = true;
}

/* Errs towards counting longer. */
int64_t relays_clock_jump(struct relays *r) {
    int64_t clock = clock_now_usec() - clock_mono_usec(), jump = clock - r->clock_usec;
    if (jump < clock_jump_usec && jump > -clock_jump_usec)
        return 0;
    int64_t hours = jump > 0 ? (jump + USEC_PER_HOUR - 1) / USEC_PER_HOUR : jump / USEC_PER_HOUR;
    r->clock_usec = clock;
    for (size_t i = 0; i < r->count; i++)
        pace_daily_shift(&r->items[i]->daily, hours, clock_now_usec());
    log_warning("clock-jumped", LOG_NUM("seconds", jump / USEC_PER_SEC));
    return hours;
}

uint64_t relays_bits(const struct relays *r, const char *names) {
    uint64_t bits = 0, all = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct view rest = view_of(names), name;
        all |= UINT64_C(1) << i;
        while (view_split(&rest, ',', &name))
            if (view_eq_str(name, r->items[i]->conf->id))
                bits |= UINT64_C(1) << i;
    }
    return bits ? bits : all;
}

/* ---- choosing ------------------------------------------------------------------------------------------------ */

static bool has_day_left(struct relay *r, int64_t now, int64_t *when) {
    int64_t wall = clock_now_usec();
    if (r->daily.limit == 0 || pace_daily_credit(&r->daily, wall) > 0 || pace_daily_left(&r->daily, wall) > 0)
        return true;
    pace_sooner(when, now + pace_daily_wait_usec(&r->daily, wall));
    return false;
}

/* The relays of these bits that carry now, and those that are to be tried beside them. */
struct choice {
    uint64_t carry, try;
};

static struct choice choose(struct relays *all, uint64_t bits, int64_t now, int64_t *when) {
    struct choice c = {0};
    unsigned level = 0;
    for (size_t i = 0; i < all->count; i++) {
        struct relay *r = all->items[i];
        if (!(bits & UINT64_C(1) << i) || (c.carry && r->conf->priority != level) || !has_day_left(r, now, when))
            continue;
        switch (pace_relay_state(&r->pace, now)) {
        case PACE_RESTING: pace_sooner(when, r->pace.until_usec); break;
        case PACE_TRYING: c.try |= UINT64_C(1) << i; break;
        case PACE_OPEN:
            level = r->conf->priority;
            c.carry |= UINT64_C(1) << i;
            break;
        }
    }
    return c;
}

bool relays_alive(struct relays *r, uint64_t bits, int64_t now_usec) {
    int64_t when = 0;
    struct choice c = choose(r, bits, now_usec, &when);
    return c.carry || c.try;
}

static bool has_token(struct relay *r, int64_t now, int64_t *when) {
    if (r->daily.limit && pace_daily_credit(&r->daily, clock_now_usec()) == 0) {
        r->wanted += r->wanted == 0; /* what comes is told by relays_reserved() */
        return false;
    }
    if (pace_bucket_tokens(&r->bucket, now) > 0)
        return true;
    pace_sooner(when, pace_bucket_when(&r->bucket, now));
    return false;
}

/* The relay's line with the fewest in flight that takes one more. */
static struct line *emptiest(const struct relay *r, unsigned *fewest) {
    struct line *found = NULL;
    for (struct line *l = r->lines; l; l = l->next)
        if (is_usable(l) && session_room(l->session) > 0 && session_in_flight(l->session) < *fewest) {
            *fewest = session_in_flight(l->session);
            found = l;
        }
    return found;
}

struct line *relays_pick(struct relays *all, uint64_t bits, int64_t now_usec, int64_t *ret_when) {
    struct choice c = choose(all, bits, now_usec, ret_when);
    struct line *found = NULL;
    unsigned fewest = UINT32_MAX;
    for (size_t i = 0; i < all->count; i++) {
        struct relay *r = all->items[i];
        uint64_t bit = UINT64_C(1) << i;
        if (!((c.carry | c.try) & bit) || !has_token(r, now_usec, ret_when))
            continue;
        if (c.try & bit) {
            struct line *l = count_in_flight(r) == 0 ? emptiest(r, &(unsigned){UINT32_MAX}) : NULL;
            if (l)
                return l;
        } else {
            struct line *l = emptiest(r, &fewest);
            found = l ? l : found;
        }
    }
    return found;
}

bool relays_takes(struct relays *all, struct line *line, uint64_t bits, int64_t now_usec) {
    struct relay *r = line->relay;
    int64_t when = 0;
    if (!is_usable(line) || r->retired || r->pace.state != PACE_OPEN || session_room(line->session) == 0 ||
        !has_token(r, now_usec, &when))
        return false;
    struct choice c = choose(all, bits, now_usec, &when);
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i] == r)
            return c.carry & UINT64_C(1) << i;
    return false;
}

static unsigned appetite_of(struct relay *r, int64_t now, int64_t *when) {
    unsigned n = 0;
    for (const struct line *l = r->lines; l; l = l->next)
        n += is_usable(l) ? 2 * r->conf->in_flight - session_in_flight(l->session) : 0; /* is at most in_flight */
    uint32_t tokens = pace_bucket_tokens(&r->bucket, now + soon_usec);
    if (n && tokens == 0)
        pace_sooner(when, pace_bucket_when(&r->bucket, now) - soon_usec);
    r->wanted = n = tokens < n ? tokens : n;
    if (r->daily.limit == 0)
        return n;
    int64_t wall = clock_now_usec();
    uint64_t left = pace_daily_left(&r->daily, wall) + pace_daily_credit(&r->daily, wall);
    return left < n ? (unsigned)left : n;
}

unsigned relays_appetite(struct relays *all, uint64_t bits, int64_t now_usec, int64_t *ret_when) {
    struct choice c = choose(all, bits, now_usec, ret_when);
    unsigned n = 0, tried = 0;
    for (size_t i = 0; i < all->count; i++)
        if (c.carry & UINT64_C(1) << i)
            n += appetite_of(all->items[i], now_usec, ret_when);
        else if (c.try & UINT64_C(1) << i)
            tried += appetite_of(all->items[i], now_usec, ret_when) > 0;
    return n + tried;
}

bool relays_wait(struct relays *all, uint64_t bits, int64_t now_usec, int64_t *ret_when) {
    struct choice c = choose(all, bits, now_usec, ret_when);
    for (size_t i = 0; i < all->count; i++) {
        if (!((c.carry | c.try) & UINT64_C(1) << i))
            continue;
        if (pace_bucket_tokens(&all->items[i]->bucket, now_usec) > 0)
            return false;
        pace_sooner(ret_when, pace_bucket_when(&all->items[i]->bucket, now_usec));
    }
    return true;
}

static bool wants_line(const struct relay *r, unsigned allowed) {
    unsigned lines = 0;
    for (const struct line *l = r->lines; l; l = l->next) {
        if (l->leaving || l->closed)
            continue;
        if (!l->ready || session_room(l->session) > 0)
            return false;
        lines++;
    }
    return lines < allowed;
}

void relays_connect(struct relays *all, uint64_t bits, int64_t now_usec) {
    int64_t when = 0;
    struct choice c = choose(all, bits, now_usec, &when);
    for (size_t i = 0; i < all->count; i++) {
        struct relay *r = all->items[i];
        uint64_t bit = UINT64_C(1) << i;
        if (c.carry & bit ? wants_line(r, r->conf->connections) : (c.try & bit) && wants_line(r, 1))
            open_line(r, now_usec);
    }
}

int relays_send(struct line *line, const struct envelope *envelope, struct view message, struct item *item,
                int64_t now_usec) {
    int r = session_send(line->session, envelope, message, (uint64_t)(uintptr_t)item);
    if (r < 0)
        return r;
    (void)pace_bucket_take(&line->relay->bucket, now_usec); /* whoever picked the line saw one */
    pace_daily_take(&line->relay->daily);
    item->is_counted = line->relay->daily.limit > 0;
    item->taken_usec = now_usec;
    line->given = true;
    line->last_usec = now_usec;
    return 0;
}

/* ---- failures ------------------------------------------------------------------------------------------------ */

static void keep_failure(struct relay *r, const struct outcome *o) {
    AUTOBUF struct buf text = BUF_INIT(sizeof r->failure - 1);
    if (o->code && !strstr(o->text, "(")) /* what connecting says has the reply in it */
        buf_printf(&text, "%u %s%s", o->code, o->status, o->status[0] ? " " : "");
    buf_puts(&text, o->text);
    memcpy(r->failure, buf_str(&text), text.len + 1);
}

static void relay_failed(struct relay *r, const struct outcome *o, bool of_sender, int64_t now) {
    enum pace_state before = r->pace.state;
    keep_failure(r, o);
    if (pace_relay_failed(&r->pace, of_sender, r->all->conf->relay_rest_usec, now) && !r->retired)
        r->all->handlers->on_alert(r->all->user, of_sender ? "alert-relay-paused" : "alert-relay-down", r->conf->id,
                                   r->failure);
    if (before != PACE_RESTING)
        log_warning("relay-rests", LOG_TEXT("relay", r->conf->id), LOG_TEXT("reason", r->failure),
                    LOG_NUM("seconds", r->pace.rest_usec / USEC_PER_SEC));
}

static void relay_worked(struct relay *r) {
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
        if (relay->held.count == 0 || count_in_flight(relay) > 0)
            continue;
        if (idle || relay->answered_usec + RELAYS_HELD_USEC <= now_usec) {
            *ret_relay = relay->conf->id;
            return &relay->held;
        }
        pace_sooner(ret_when, relay->answered_usec + RELAYS_HELD_USEC);
    }
    return NULL;
}

/* ---- sessions ------------------------------------------------------------------------------------------------ */

static void on_ready(void *user, struct session *s) {
    (void)s;
    struct line *l = user;
    l->ready = true;
    l->since_usec = l->last_usec = clock_mono_usec();
    l->relay->all->handlers->on_change(l->relay->all->user);
}

static void on_outcome(void *user, struct session *s, uint64_t cookie, const struct outcome *outcome) {
    (void)s;
    struct line *l = user;
    struct item *item = (struct item *)(uintptr_t)cookie;
    pace_bucket_done(&l->relay->bucket, item->taken_usec, clock_mono_usec());
    l->relay->all->handlers->on_outcome(l->relay->all->user, l, item, outcome);
}

static void on_unsent(void *user, struct session *s, uint64_t cookie) {
    (void)s;
    struct line *l = user;
    struct item *item = (struct item *)(uintptr_t)cookie;
    pace_bucket_done(&l->relay->bucket, item->taken_usec, clock_mono_usec());
    l->relay->all->handlers->on_unsent(l->relay->all->user, item);
}

/* That a line goes after it did its work says nothing of the relay. A 421 may be about one destination, but not again
 * and again. */
static bool is_failure(struct line *l, const struct outcome *why, int64_t now) {
    if (why->code == 421 && !l->useful && ++l->relay->useless >= USELESS_MAX)
        return true;
    return !l->ready || (!l->answered && (l->given || now - l->since_usec < short_life_usec));
}

static void on_closed(void *user, struct session *s, const struct outcome *why) {
    (void)s;
    struct line *l = user;
    int64_t now = clock_mono_usec();
    if (why && is_failure(l, why, now))
        relay_failed(l->relay, why, why->subject == OUTCOME_OF_SENDER, now);
    l->closed = true;
    loop_post(l->relay->all->sweep);
}

static const struct session_handlers session_handlers = {on_ready, on_outcome, on_unsent, on_closed};

int64_t relays_close_idle(struct relays *r, int64_t now_usec) {
    int64_t next = 0;
    for (size_t i = 0; i < r->count; i++)
        for (struct line *l = r->items[i]->lines; l; l = l->next) {
            if (!is_usable(l) || session_in_flight(l->session))
                continue;
            if (l->last_usec + RELAYS_IDLE_USEC <= now_usec) {
                l->leaving = true;
                session_quit(l->session);
            } else {
                pace_sooner(&next, l->last_usec + RELAYS_IDLE_USEC);
            }
        }
    return next;
}

void relays_quit(struct relays *r) {
    for (size_t i = 0; i < r->count; i++)
        quit_lines(r->items[i]);
}

void relays_abort(struct relays *r) {
    for (size_t i = 0; i < r->count + r->retired_count; i++) {
        const struct relay *relay = i < r->count ? r->items[i] : r->retired[i - r->count];
        for (struct line *l = relay->lines; l; l = l->next)
            if (!l->closed)
                session_abort(l->session);
    }
}

/* ---- numbers ------------------------------------------------------------------------------------------------- */

unsigned relays_in_flight(const struct relays *r) {
    unsigned n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += count_in_flight(r->items[i]);
    for (size_t i = 0; i < r->retired_count; i++)
        n += count_in_flight(r->retired[i]);
    return n;
}

unsigned relays_lines(const struct relays *r) {
    unsigned n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += count_lines(r->items[i]);
    for (size_t i = 0; i < r->retired_count; i++)
        n += count_lines(r->retired[i]);
    return n;
}

unsigned relays_window(const struct relays *r) {
    unsigned n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += 2 * r->items[i]->conf->connections * r->items[i]->conf->in_flight;
    return n;
}

void relays_stats(const struct relays *r, struct dispatch_stats *ret) {
    for (size_t i = 0; i < r->count; i++) {
        const struct relay *relay = r->items[i];
        ret->relays[ret->relay_count++] = (struct dispatch_relay){
            .name = relay->conf->id,
            .state = pace_state_name(relay->pace.state),
            .sessions = count_lines(relay),
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
