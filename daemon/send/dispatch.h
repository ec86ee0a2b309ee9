/* Dispatch: brings what is released to the relays. Watches nothing and polls nothing: it surveys the store when told
 * that something changed or fell due, claims recipients in blocks as sessions have room, composes, sends, records.
 *
 * Everything happens on the loop but the steps of its jobs. Claims are durable before a message of them can reach the
 * wire; outcomes are recorded in groups, which travel with the next claim where one comes soon (send/recorder.h).
 *
 * LIMITS  Claimed, and without an outcome that is durable, are at most dispatch_stats.window people (W): 2 x connections x
 *         in-flight of all relays, and DISPATCH_COMMIT. A claim counts all who have no outcome when its commit is durable:
 *         who waits, who is on the wire, whose refusal is held back, and whom it asks for. What has an outcome goes with
 *         it, or went before, and waits no longer than RECORDER_WAIT_USEC. DISPATCH_COMMIT, one commit's worth, is used
 *         as far as answers come fast: a claim asks for as many more as were answered of that announcement since the last one.
 *         Where a new configuration makes W smaller, nothing is claimed until what was claimed before fits it.
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

/* Each commit has its price, whatever it carries (of about 120 µs, as much as 60 people whom it claims and records): with
 * so many it is a third of that of the rest. */
enum { DISPATCH_COMMIT = 128 };

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
    unsigned window;  /* W */
};
/* Strings are borrowed until the next event. */
void dispatch_stats(const struct dispatch *d, struct dispatch_stats *ret);
