/* The inside of relays, for relays*.c alone. */
#pragma once
#include <assert.h>

#include "conf/conf.h"
#include "send/pace.h"
#include "send/relays.h"

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

enum { RELAYS_MAX = DISPATCH_RELAYS_MAX };

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

/* send/relays_lines.c */
bool line_is_usable(const struct line *l);
unsigned relay_lines(const struct relay *r);
unsigned relay_in_flight(const struct relay *r);
void relay_open_line(struct relay *r, int64_t now_usec);
/* QUIT on each, after what is in flight. */
void relay_quit_lines(struct relay *r);
/* Those that are closed, or all. */
void relay_free_lines(struct relay *r, bool all);

/* send/relays_judge.c: it failed as a whole, of_sender because of us; it works. */
void relay_failed(struct relay *r, const struct outcome *o, bool of_sender, int64_t now);
void relay_worked(struct relay *r);
