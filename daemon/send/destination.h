/* How fast a destination domain may be given messages: [destination DOMAIN] rate and connections, and the slow-down
 * that a receiver asks for. Pure logic, monotonic time comes in with every call.
 *
 * rate         as a relay's (send/pace.h), whatever relay carries the messages.
 * connections  counts messages on their way at the same moment, whatever session carries them: on one connection there
 *              may be several, so there are never more connections than that which have one of them.
 *
 * STATES  FREE -> SILENT     the receiver wants fewer (4.7.x, 421, "rate")
 *         FREE -> CAREFUL    it may want fewer: some 4.7.x are about one recipient
 *         SILENT -> CAREFUL  after [retry] silence: one at a time
 *         CAREFUL -> CAREFUL one more at a time after DESTINATION_STEP deliveries in a row
 *         CAREFUL -> FREE    at the configured number, or DESTINATION_CAREFUL_MAX
 *         CAREFUL -> SILENT  asked again, or it may want fewer twice with no delivery between
 *
 * WAITING Who has to wait is put off: back to the store, due at a turn of its own. Turns follow each other as fast as
 *         the destination was seen to take messages, so that they come back about when they can be sent.
 *
 * Domains are kept while something is known of them; idle ones are forgotten when the table is full, but not those with
 * a section of their own. Beyond DESTINATIONS_MAX that are not idle, further domains go unlimited. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/number.h"
#include "base/view.h"

struct conf;
struct destinations;

enum { DESTINATIONS_MAX = 16384, DESTINATION_STEP = 10, DESTINATION_CAREFUL_MAX = 16 };
#define DESTINATION_STEP_USEC (USEC_PER_SEC / 100)      /* between turns, where nothing is known */
#define DESTINATION_STEP_SILENT_USEC (USEC_PER_SEC / 4) /* behind a silence */
#define DESTINATION_STEP_MIN_USEC (USEC_PER_SEC / 1000)
/* A message is never put off further than this; then it asks again. */
#define DESTINATION_PUT_OFF_MAX_USEC USEC_PER_HOUR

int destinations_new(struct destinations **ret);
struct destinations *destinations_free(struct destinations *d);
/* Takes over the limits of a configuration, which must live until the next call. Rates that did not change go on as
 * they were. -ENOMEM where some could not be taken over. */
int destinations_configure(struct destinations *d, const struct conf *conf, int64_t now_usec);

enum destination_answer {
    DESTINATION_GO,    /* on its way now: destination_done() follows */
    DESTINATION_BUSY,  /* when one of those on their way is done */
    DESTINATION_LATER, /* not before *ret_when_usec */
};
enum destination_answer destination_take(struct destinations *d, struct view domain, int64_t now_usec,
                                         int64_t *ret_when_usec);

enum destination_verdict {
    DESTINATION_DELIVERED,
    DESTINATION_SLOW_DOWN, /* it wants fewer */
    DESTINATION_HINT,      /* it may want fewer */
    DESTINATION_OTHER,
};
/* taken_usec: when it was told to go. True where it falls silent. */
bool destination_done(struct destinations *d, struct view domain, enum destination_verdict verdict, int64_t taken_usec,
                      int64_t now_usec);
/* A turn of its own for a message that has to wait: each asked for comes after the one before it. */
int64_t destination_turn(struct destinations *d, struct view domain, int64_t now_usec);

/* Turns at a destination that takes nothing soon, to be given out elsewhere: a claim puts off what it finds for it. */
struct destination_shut {
    char domain[256];
    int64_t turn_usec, first_usec, step_usec; /* the last turn; none comes before first_usec */
    unsigned count;                           /* given out */
};
enum { DESTINATIONS_SHUT_MAX = 8 };
/* Those that had to be waited for lately and would have to be now: for long, or (hands_full) at all. How many. */
size_t destinations_shut(struct destinations *d, bool hands_full, int64_t near_usec, int64_t now_usec,
                         struct destination_shut ret[DESTINATIONS_SHUT_MAX]);
int64_t destination_shut_turn(struct destination_shut *shut);
/* Turns were given out. */
void destination_shut_done(struct destinations *d, const struct destination_shut *shut);
