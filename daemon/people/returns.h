/* What follows when a mail came back (the verbs bounce and complaint of spool/request.h). Functions
 * over the store, in a step on its thread.
 *
 * Whom it speaks of is proved by the code of the return path, or by the signed token of our List-Unsubscribe together
 * with the announcement in its link; and only a delivery of ours that is at most RETURNS_WINDOW_USEC old can come back.
 * Anything else changes nothing and is counted. Of a delivery the worst report stays, and one as bad that comes later is
 * a replay.
 *
 *   suppress           at once, unless the circuit breaker is open
 *   suppress-if-again  where the domain was unknown at least RETURNS_AGAIN_USEC ago, too
 *   score              at most one a day; above [bounce] soft-limit suppressed; after RETURNS_QUIET_USEC without any forgotten
 *   slow-destination, pause-destination
 *                      the destination slows down, the admin is told, once a day; the person is not touched
 *   alert-sender       the admin is told, once a day
 *   hold-announcement  an announcement that is still being sent is paused
 *   opt-out            the person has left the list through which it came, and is suppressed
 *
 * The circuit breaker: where more than 20 % and at least RETURNS_HARD_MIN recipients of a destination turn hard within
 * an announcement, something is wrong there and not with all of them. What was suppressed of it is taken back and held,
 * and the admin is told, who lets go of it or forgets it (`rundbrief returns`). */
#pragma once
#include "base/number.h"

#define RETURNS_WINDOW_USEC (30 * USEC_PER_DAY)
#define RETURNS_QUIET_USEC (30 * USEC_PER_DAY)
#define RETURNS_AGAIN_USEC (3 * USEC_PER_DAY)
enum { RETURNS_HARD_MIN = 10, RETURNS_HARD_PERCENT = 20 };
