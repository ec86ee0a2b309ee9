/* The relays with their open sessions: which one takes the next message, when to connect, when to rest, when to close.
 * Relays of a lower priority number go first; one that rests is passed over, and taken again when it works again. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "send/dispatch.h"
#include "send/session.h"

struct relays;

struct relays_handlers {
    void (*on_ready)(void *user); /* some session takes messages */
    void (*on_outcome)(void *user, struct session *s, uint64_t cookie, const struct outcome *outcome);
    void (*on_unsent)(void *user, uint64_t cookie); /* instead of an outcome: the relay never heard of it */
    void (*on_alert)(void *user, const char *key, const char *relay, const char *text);
};

int relays_new(struct loop *loop, struct conf *conf, const struct relays_handlers *handlers, void *user,
               struct why *why, struct relays **ret);
struct relays *relays_free(struct relays *r);
/* Sessions of relays that changed finish what they have and go. */
int relays_set_conf(struct relays *r, struct conf *conf);

/* names: comma-separated, "" for all. A session that takes a message now and whose relay may be given one; or NULL:
 * then *ret_when is when it is worth asking again on account of a limit or a rest (0: an event will tell). */
struct session *relays_pick(struct relays *r, const char *names, int64_t now_usec, int64_t *ret_when);
/* Whether any of these relays neither rests nor has used up its day; else *ret_when is when one will. */
bool relays_alive(struct relays *r, const char *names, int64_t now_usec, int64_t *ret_when);
/* The message was handed over: counts against the limits. */
void relays_sent(struct relays *r, struct session *s, int64_t now_usec);
/* Connects as far as `waiting` messages for these names need it. */
void relays_connect(struct relays *r, const char *names, unsigned waiting, int64_t now_usec);
/* What an outcome says of the relay. True where it must not count for the recipient: it speaks of us. *ret_run: how
 * many refusals in a row said the same; below PACE_RUN their recording may be held back. */
bool relays_judge(struct relays *r, struct session *s, const struct outcome *outcome, int64_t now_usec,
                  unsigned *ret_run);
/* Closes sessions that nothing was sent on for half a minute; when to look again, 0 for never. */
int64_t relays_close_idle(struct relays *r, int64_t now_usec);
/* QUIT on all; on the wire stays what is. */
void relays_quit(struct relays *r);
/* Closes all connections now; each message on the wire still gets its answer. */
void relays_abort(struct relays *r);
unsigned relays_in_flight(const struct relays *r);
unsigned relays_sessions(const struct relays *r);
unsigned relays_window(const struct relays *r); /* 2 x connections x in-flight of all relays */
void relays_stats(const struct relays *r, struct dispatch_stats *ret);
/* The usage of the day from the store, before the first message. */
void relays_load_usage(struct relays *r, const char *relay, int64_t hour, uint32_t messages, int64_t now_wall_usec);
