/* The relays with their open sessions: which one takes the next message, when to connect, when to rest, when to close.
 *
 * CHOICE  Of the relays that a message may take, those of the lowest priority number that are open carry it, and share.
 *         One that rests is passed over, and the next ones carry; when its rest is over it is tried with one connection
 *         and one message beside those that carry, until it answers like a relay again.
 * LINES   A line is an open session, or one that is connecting. Another one is opened only when all of a relay's have
 *         their hands full, one at a time, up to [relay] connections; a line that was idle for RELAYS_IDLE_USEC goes.
 *
 * A set of relays is a word of bits, as configured at the moment: ask again after relays_set_conf(). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"
#include "send/dispatch.h"
#include "send/item.h"
#include "send/session.h"

struct conf;
struct line;
struct loop;
struct relay;
struct relays;

#define RELAYS_IDLE_USEC (30 * USEC_PER_SEC)
#define RELAYS_HELD_USEC (10 * USEC_PER_SEC)

struct relays_handlers {
    /* A line has become ready or is gone, a relay works again or rests: look again what may be done. */
    void (*on_change)(void *user);
    void (*on_outcome)(void *user, struct line *line, struct item *item, const struct outcome *outcome);
    void (*on_unsent)(void *user, struct item *item); /* instead of an outcome: it is as if it never was sent */
    void (*on_alert)(void *user, const char *key, const char *relay, const char *text);
};

int relays_new(struct loop *loop, struct conf *conf, const struct relays_handlers *handlers, void *user,
               struct why *why, struct relays **ret);
/* Closes everything at once. */
struct relays *relays_free(struct relays *r);
/* Lines of relays that changed or went finish what they have and go. */
int relays_set_conf(struct relays *r, struct conf *conf);
/* What earlier lives of the process have sent, before the first message. */
void relays_load_usage(struct relays *r, const char *relay, int64_t hour, uint64_t messages);
/* What a daily limit wants written before more is sent: messages (less than 0: taken back, nothing follows) of a relay
 * in an hour. False where nothing is to be written now. relays_reserved() follows when it is durable, or failed. */
struct relays_reservation {
    char relay[64];
    int64_t hour, messages;
};
bool relays_reserve(struct relays *r, struct relays_reservation *ret);
void relays_reserved(struct relays *r, const struct relays_reservation *reservation, bool durable);
/* Nothing more will be sent: all that is left is to be taken back, by relays_reserve(). */
void relays_give_back_reserved(struct relays *r);
/* By how many hours the wall clock has jumped since last asked, so that what the store counted must go along; mostly
 * 0. */
int64_t relays_clock_jump(struct relays *r);

/* names: comma-separated; all relays where that names none. */
uint64_t relays_bits(const struct relays *r, const char *names);
/* A line that takes a message for these relays now, or NULL: then *ret_when is when it is worth asking again on account
 * of a rest or a limit (earlier than what it holds, or as it was). */
struct line *relays_pick(struct relays *all, uint64_t bits, int64_t now_usec, int64_t *ret_when);
/* The same of this line alone. */
bool relays_takes(struct relays *r, struct line *line, uint64_t bits, int64_t now_usec);
/* How many messages for these relays may well wait in hand: with those in flight, twice as many as ready lines may have
 * in flight, and so many more; as far as rate and daily limit allow soon. 0 with *ret_when as above. */
unsigned relays_appetite(struct relays *all, uint64_t bits, unsigned more, int64_t now_usec, int64_t *ret_when);
/* There is something to send: connects where that helps. */
void relays_connect(struct relays *all, uint64_t bits, int64_t now_usec);
/* Whether any of these relays is open, or is to be tried. */
bool relays_alive(struct relays *r, uint64_t bits, int64_t now_usec);
/* Whether none of these relays can take anything before *ret_when, on account of rests and limits. */
bool relays_wait(struct relays *r, uint64_t bits, int64_t now_usec, int64_t *ret_when);
/* As session_send(); counts against the limits. */
int relays_send(struct line *line, const struct envelope *envelope, struct view message, struct item *item,
                int64_t now_usec);

const char *line_relay(const struct line *line);
/* Refusals of the line's relay that are held back, oldest first. */
struct items *line_held(struct line *line);
/* Hands out those whose meaning nothing will change any more: of relays that have nothing in flight, and (idle) get
 * nothing, or for RELAYS_HELD_USEC got no answer. NULL where there are none; *ret_when as above. */
struct items *relays_held(struct relays *r, bool idle, int64_t now_usec, const char **ret_relay, int64_t *ret_when);

/* What to do with an outcome, now that the relay's part in it is known. */
enum judgement {
    JUDGEMENT_RECORD, /* as it is; what was held back is recorded too */
    JUDGEMENT_HOLD,   /* it may yet turn out to speak of us: goes to line_held() */
    JUDGEMENT_EXCUSE, /* it speaks of us: nobody is refused, neither are those held back */
};
enum judgement relays_judge(struct relays *all, struct line *line, const struct item *item,
                            const struct outcome *outcome, int64_t now_usec);

/* Closes idle lines; when to look again, or 0. */
int64_t relays_close_idle(struct relays *r, int64_t now_usec);
/* QUIT on all, after what is in flight. */
void relays_quit(struct relays *r);
/* Closes all connections now; each message in flight still gets its answer. */
void relays_abort(struct relays *r);
unsigned relays_in_flight(const struct relays *r);
unsigned relays_lines(const struct relays *r);
unsigned relays_window(const struct relays *r); /* 2 × connections × in-flight of all */
void relays_stats(const struct relays *r, struct dispatch_stats *ret);
