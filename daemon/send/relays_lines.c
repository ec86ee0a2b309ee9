/* Relays: lines, each a session that is open or being opened. */
#include "send/relays_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/loop.h"

#include "base/banned.h"

/* A line that lasted less, and did nothing, failed. */
static const int64_t short_life_usec = 5 * USEC_PER_SEC;

enum { USELESS_MAX = 3 }; /* lines that a 421 ended before they were of use, until the relay rests */

static const struct session_handlers session_handlers;

bool line_is_usable(const struct line *l) {
    return l->ready && !l->leaving && !l->closed;
}

unsigned relay_lines(const struct relay *r) {
    unsigned n = 0;
    for (const struct line *l = r->lines; l; l = l->next)
        n += !l->closed;
    return n;
}

unsigned relay_in_flight(const struct relay *r) {
    unsigned n = 0;
    for (const struct line *l = r->lines; l; l = l->next)
        n += l->closed ? 0 : session_in_flight(l->session);
    return n;
}

void relay_free_lines(struct relay *r, bool all) {
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

void relay_quit_lines(struct relay *r) {
    for (struct line *l = r->lines; l; l = l->next)
        if (!l->leaving && !l->closed) {
            l->leaving = true;
            session_quit(l->session);
        }
}

void relay_open_line(struct relay *r, int64_t now_usec) {
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
            if (!line_is_usable(l) || session_in_flight(l->session))
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
        relay_quit_lines(r->items[i]);
}

void relays_abort(struct relays *r) {
    for (size_t i = 0; i < r->count + r->retired_count; i++) {
        const struct relay *relay = i < r->count ? r->items[i] : r->retired[i - r->count];
        for (struct line *l = relay->lines; l; l = l->next)
            if (!l->closed)
                session_abort(l->session);
    }
}
