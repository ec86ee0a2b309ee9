/* Dispatch: brings what is released to the relays. Watches nothing and polls nothing: it surveys the store when told
 * that something changed or fell due, claims recipients in blocks as sessions have room, composes, sends, records.
 *
 * Everything happens on the loop but the steps of its jobs. Claims are durable before a message of them can reach the
 * wire; outcomes are recorded in groups, which travel with the next claim where one comes soon (send/recorder.h).
 *
 * LIMITS  Claimed and not yet handed over or answered are at most dispatch_stats.window: 2 x connections x in-flight of
 *         all relays. On top of these come outcomes that are not durable yet: those that wait for the next claim, at
 *         most RECORDER_BATCH and RECORDER_WAIT_USEC, and those of the commit that is under way (claims are asked for
 *         one commit at a time, so neither can be more than the window); and refusals that are held back (below
 *         PACE_RUN for each relay).
 *
 * STATES  of an announcement here (the store has the lasting ones, store/announcement.h)
 *           scheduled -> gathering  send_at has come: the audience is written, in slices
 *           gathering -> sending    loaded (bundle compiled), claimed, sent
 *           sending   -> done       nothing is left to try: settled */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/why.h"

struct conf;
struct dispatch;
struct keyring;
struct loop;
struct spool;
struct store;

struct dispatch_handlers {
    /* An announcement is over; its row says how, and notices tell its coordinators. */
    void (*on_finished)(void *user, int64_t announcement);
    /* The admin must know: key is one of [notice] alert-… (templates/en/words.ini), a1 and a2 its words. */
    void (*on_alert)(void *user, const char *key, const char *a1, const char *a2);
    /* A date of a recurring announcement is to be made: dispatch_announcement() when that is done. May be NULL. */
    void (*on_recurring)(void *user);
};

/* keys and spool are borrowed, conf referenced. */
int dispatch_new(struct loop *loop, struct store *store, struct conf *conf, const struct keyring *keys,
                 struct spool *spool, const struct dispatch_handlers *handlers, void *user, struct why *why,
                 struct dispatch **ret);
struct dispatch *dispatch_free(struct dispatch *d);

/* After recovery: begins. */
void dispatch_start(struct dispatch *d);
/* Something about an announcement changed (released, paused, resumed, stopped, queued). */
void dispatch_announcement(struct dispatch *d, int64_t announcement);
/* A notice was added. */
void dispatch_notices(struct dispatch *d);
/* Reports say that a destination wants fewer mails: as if an answer had said so. */
void dispatch_slow_down(struct dispatch *d, const char *domain);
void dispatch_set_conf(struct dispatch *d, struct conf *conf);
/* Claims no more, waits for what is on the wire, at most until the monotonic deadline; on_stopped comes from the loop.
 */
void dispatch_stop(struct dispatch *d, int64_t deadline_mono_usec, void (*on_stopped)(void *user), void *user);

struct dispatch_relay {
    const char *name, *state; /* open, paused, trying */
    unsigned sessions, in_flight;
    const char *failure;                             /* the last one since it worked, or "" */
    uint64_t delivered, deferred, refused, in_doubt; /* since the start */
};
enum { DISPATCH_RELAYS_MAX = 64 };
struct dispatch_stats {
    struct dispatch_relay relays[DISPATCH_RELAYS_MAX];
    size_t relay_count;
    unsigned claimed; /* claimed and not yet on the wire, on the wire, or not yet recorded */
    unsigned window;  /* W without the commit's worth */
};
/* Strings are borrowed until the next event. */
void dispatch_stats(const struct dispatch *d, struct dispatch_stats *ret);
