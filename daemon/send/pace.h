/* How fast a relay may be given messages, and when it is left alone. Pure logic: time comes in with every call
 * (monotonic microseconds; hours of the daily limit in seconds of the wall clock, because they outlive a restart).
 *
 * RATE    A bucket of tokens that is empty at first, in the form of the generic cell rate algorithm (ITU-T I.371): one
 *         number, the theoretical arrival time. In no window as long as the rate's, a restart inside it included, are
 *         more tokens taken than the rate says: burst and refill share the number.
 * DAILY   The last 24 whole hours and the current one together stay below the limit.
 * STATES  of a relay
 *           OPEN -> RESTING    it failed: wrong password, refused sender, ten identical refusals, no connection
 *           RESTING -> TRYING  the rest is over: one connection, one message
 *           TRYING -> OPEN     it worked
 *           TRYING -> RESTING  it failed again: twice as long, up to PACE_REST_MAX_USEC */
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
#define PACE_REST_MAX_USEC (15 * USEC_PER_MIN)
#define PACE_DOWN_ALERT_USEC USEC_PER_HOUR

struct pace_bucket {
    int64_t interval_nsec; /* 0: no limit */
    int64_t tolerance_nsec, arrival_nsec;
};
void pace_bucket_init(struct pace_bucket *b, struct rate rate, int64_t now_usec);
/* Tokens in hand now; UINT32_MAX without a limit. */
uint32_t pace_bucket_tokens(const struct pace_bucket *b, int64_t now_usec);
/* Takes one; false where there is none. */
bool pace_bucket_take(struct pace_bucket *b, int64_t now_usec);
/* When the next token is there; at most now where one is. */
int64_t pace_bucket_when(const struct pace_bucket *b, int64_t now_usec);

enum { PACE_DAY_HOURS = 25 };
struct pace_daily {
    uint64_t limit; /* 0: none */
    int64_t hour;   /* the current one, since the epoch */
    uint32_t used[PACE_DAY_HOURS];
};
void pace_daily_init(struct pace_daily *d, uint64_t limit);
/* What an earlier life of the process has used. */
void pace_daily_load(struct pace_daily *d, int64_t hour, uint32_t messages, int64_t now_wall_usec);
uint64_t pace_daily_left(struct pace_daily *d, int64_t now_wall_usec);
void pace_daily_take(struct pace_daily *d, int64_t now_wall_usec);
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
/* A failure of the relay as a whole. Rests longer each time; failures during a rest count once. True where the admin is
 * to be told now: at once when it speaks of us, after an hour of failures to connect; once until it works again. */
bool pace_relay_failed(struct pace_relay *p, bool of_sender, int64_t now_usec);
/* A message was refused: how many times in a row the same was said. Words with a digit or an @ do not count (queue ids,
 * the address itself). At PACE_RUN the caller calls pace_relay_failed(); a relay that is tried again needs to say it
 * only once. */
unsigned pace_relay_refused(struct pace_relay *p, const struct outcome *outcome);
/* Any other answer. */
void pace_relay_run_ends(struct pace_relay *p);
