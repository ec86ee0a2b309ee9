#include "send/relays_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/loop.h"
#include "send/connect.h"

#include "base/banned.h"

/* The wall clock against the monotonic one: less is none of our business. */
static const int64_t clock_jump_usec = 30 * USEC_PER_SEC;

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
        relay_free_lines(r, true);
        items_free(&r->held);
        (void)conf_unref(r->owner);
        free(r);
    }
}

/* Closed lines are freed from here, after the event in which they closed; and retired relays with their last one. */
static void on_sweep(void *user) {
    struct relays *all = user;
    for (size_t i = 0; i < all->count; i++)
        relay_free_lines(all->items[i], false);
    size_t kept = 0;
    for (size_t i = 0; i < all->retired_count; i++) {
        struct relay *r = all->retired[i];
        relay_free_lines(r, false);
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
    relay_quit_lines(r);
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

unsigned relays_in_flight(const struct relays *r) {
    unsigned n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += relay_in_flight(r->items[i]);
    for (size_t i = 0; i < r->retired_count; i++)
        n += relay_in_flight(r->retired[i]);
    return n;
}

unsigned relays_lines(const struct relays *r) {
    unsigned n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += relay_lines(r->items[i]);
    for (size_t i = 0; i < r->retired_count; i++)
        n += relay_lines(r->retired[i]);
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
            .sessions = relay_lines(relay),
            .in_flight = relay_in_flight(relay),
            .failure = relay->failure,
            .delivered = relay->counts[OUTCOME_DELIVERED],
            .deferred = relay->counts[OUTCOME_DEFERRED],
            .refused = relay->counts[OUTCOME_REFUSED],
            .in_doubt = relay->counts[OUTCOME_IN_DOUBT],
        };
    }
}
