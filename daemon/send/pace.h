/* How fast a relay may be given messages, and when it is left alone. Pure logic: time comes in with every call
 * (monotonic microseconds; of the daily limit microseconds of the wall clock, because it outlives a restart).
 *
 * What counts for either limit is each message that is handed to a session, whatever becomes of it.
 *
 * RATE    N messages in T: in no window as long as T does a relay see more than N of them come or be accepted, burst
 *         and refill together, however it delays them. Two things see to that.
 *         A bucket of tokens in the form of the generic cell rate algorithm (ITU-T I.371) paces: one token each
 *         T / (N - B + 1), and up to B = N / PACE_BURST_OF (at least 1) saved. It begins empty and stays so for
 *         PACE_TRANSIT_USEC (at most T), so that a window with a restart in it holds.
 *         A count bounds: a message counts from when it is handed over until T after its answer, because it got there
 *         somewhere between; where the answer takes longer than PACE_TRANSIT_USEC, as if it had come then. Counted in
 *         PACE_SLOTS_OF slots for each T, so up to T / PACE_SLOTS_OF too long.
 * DAILY   In no 24 hours are there more than the limit. Counted by the hour, each message until 24 hours after the end
 *         of its hour: for 24 to 25 hours, never less. An hour ends PACE_DAY_TRANSIT_USEC early.
 *         Messages are reserved in the store before they are sent, a few at a time and together with claims
 *         (store/relay_usage.h): what a crash leaves reserved counts as sent. A reservation is good within its hour.
 *         Where the wall clock jumps, pace_daily_shift() moves what was counted along.
 * STATES  of a relay
 *           OPEN -> RESTING    it failed: wrong password, refused sender, ten identical refusals, no connection
 *           RESTING -> TRYING  the rest is over: one connection, one message
 *           TRYING -> OPEN     it worked
 *           TRYING -> RESTING  it failed again: twice as long, up to [retry] relay */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/number.h"
#include "base/view.h"
#include "conf/conf.h"
#include "mail/reply.h"

/* The sooner of two moments, where 0 is never. */
static inline void pace_sooner(int64_t *when, int64_t other) {
    if (other > 0 && (*when == 0 || other < *when))
        *when = other;
}

enum { PACE_RUN = 10 };                              /* identical permanent answers in a row that speak of us */
enum { PACE_BURST_OF = 16 };                         /* a bucket holds at most this fraction of its rate's number */
#define PACE_REST_FIRST_USEC (30 * USEC_PER_SEC)     /* our account or address is refused */
#define PACE_RECONNECT_FIRST_USEC (1 * USEC_PER_SEC) /* the connection failed */
#define PACE_DOWN_ALERT_USEC USEC_PER_HOUR

#define PACE_TRANSIT_USEC (2 * USEC_PER_SEC)
enum { PACE_SLOTS_OF = 32, PACE_SLOTS = 3 * PACE_SLOTS_OF + 4 }; /* T >= 1 s, so transit is at most 2 T */

struct pace_bucket {
    int64_t interval_nsec; /* 0: no limit */
    int64_t tolerance_nsec, arrival_nsec;
    int64_t per_usec, since_usec, slot_usec;
    int64_t first; /* slot that still counts, since the epoch of the clock */
    uint32_t count, counted;
    uint32_t slots[PACE_SLOTS];
};
/* rate.per_usec at least a second; rate.count 0 for no limit. */
void pace_bucket_init(struct pace_bucket *b, struct rate rate, int64_t now_usec);
/* Tokens in hand now, or then, if nothing comes before; UINT32_MAX without a limit. */
uint32_t pace_bucket_tokens(const struct pace_bucket *b, int64_t now_usec);
/* Takes one; false where there is none. */
bool pace_bucket_take(struct pace_bucket *b, int64_t now_usec);
/* The message for which one was taken then has its answer. One taken before pace_bucket_init() is no matter. */
void pace_bucket_done(struct pace_bucket *b, int64_t taken_usec, int64_t now_usec);
/* When the next token is there, if no answer comes before; at most now where one is. */
int64_t pace_bucket_when(const struct pace_bucket *b, int64_t now_usec);

/* The current hour, the 24 before it, and the one that may have begun for what is sent now. */
enum { PACE_DAY_HOURS = 26 };
#define PACE_DAY_TRANSIT_USEC USEC_PER_MIN
struct pace_daily {
    uint64_t limit; /* 0: none */
    int64_t hour;   /* the latest one, since the epoch: the next after the current */
    uint32_t used[PACE_DAY_HOURS];
    int64_t credit_hour;
    unsigned credit; /* reserved in that hour, durably, and not yet sent */
};
void pace_daily_init(struct pace_daily *d, uint64_t limit);
/* What an earlier life of the process has used. Hours to come, of a clock that was wrong, count as the latest. */
void pace_daily_load(struct pace_daily *d, int64_t hour, uint32_t messages, int64_t now_wall_usec);
/* The wall clock jumped by so many hours, to now_wall_usec: what was counted goes along. Credit is lost (and counts). */
void pace_daily_shift(struct pace_daily *d, int64_t hours, int64_t now_wall_usec);
/* What may still be reserved; UINT64_MAX without a limit. */
uint64_t pace_daily_left(struct pace_daily *d, int64_t now_wall_usec);
/* Reserves up to `want`, as far as the limit allows: how many, and for which hour. The caller makes that durable, and
 * then says so with pace_daily_reserved(). */
unsigned pace_daily_reserve(struct pace_daily *d, unsigned want, int64_t now_wall_usec, int64_t *ret_hour);
void pace_daily_reserved(struct pace_daily *d, int64_t hour, unsigned n, bool durable);
/* How many may be sent now; UINT_MAX without a limit. */
unsigned pace_daily_credit(const struct pace_daily *d, int64_t now_wall_usec);
/* One is sent; there must be credit for it. */
void pace_daily_take(struct pace_daily *d);
/* Takes back what was reserved and will not be used: how many the caller is to subtract from which hour. */
unsigned pace_daily_give_back(struct pace_daily *d, int64_t *ret_hour);
/* How long until something is left again. */
int64_t pace_daily_wait_usec(struct pace_daily *d, int64_t now_wall_usec);

enum pace_state { PACE_OPEN, PACE_RESTING, PACE_TRYING };
const char *pace_state_name(enum pace_state s); /* "open", "paused", "trying" */

struct pace_relay {
    enum pace_state state;
    bool of_sender;      /* what the rest is for: our account or address, or (false) the connection */
    bool alerted;        /* the admin knows of this rest */
    int64_t until_usec;  /* end of the rest */
    int64_t rest_usec;   /* how long the last one was */
    int64_t since_usec;  /* first failure since the last success */
    unsigned run;        /* identical refusals in a row */
    uint64_t run_digest; /* of what they said */
};

void pace_relay_init(struct pace_relay *p);
/* Moves a rest that is over on to TRYING; the state. */
enum pace_state pace_relay_state(struct pace_relay *p, int64_t now_usec);
/* Something worked. True where the relay was not open before. */
bool pace_relay_worked(struct pace_relay *p);
/* A failure of the relay as a whole. Rests longer each time, at most most_usec; failures during a rest count once. True where the admin is
 * to be told now: at once when it speaks of us, after an hour of failures to connect; once until it works again. */
bool pace_relay_failed(struct pace_relay *p, bool of_sender, int64_t most_usec, int64_t now_usec);
/* A message was refused: how many times in a row the same was said. Words with a digit or an @ do not count (queue ids,
 * the address itself). At PACE_RUN the caller calls pace_relay_failed(); a relay that is tried again needs to say it
 * only once. */
unsigned pace_relay_refused(struct pace_relay *p, const struct outcome *outcome);
/* Any other answer. */
void pace_relay_run_ends(struct pace_relay *p);
