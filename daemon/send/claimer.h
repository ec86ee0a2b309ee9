/* Claiming: recipients come from the store in blocks, as items to be sent. A block's memory is used again when the last
 * item of it is done, so that sending on and on allocates nothing.
 *
 * LIMITS  CLAIMS_MAX in a block, CLAIMER_PUT_OFF_MAX and a block put off in a job; CLAIMER_SPARE_MAX blocks are kept for reuse. */
#pragma once
#include <stdbool.h>

#include "send/destination.h"
#include "send/item.h"

#define CLAIMER_WAITS "waits for its turn at this destination"

struct block;
struct claimer;
struct sending;
struct works;

enum { CLAIMER_SPARE_MAX = 16, CLAIMER_PUT_OFF_MAX = 500 };

/* The items are the handler's. more: there may be more to claim now. shut: as given, with the turns given out. result is
 * 0 or the errno; then there are neither. */
typedef void claimer_on_claimed(void *user, struct sending *s, int result, struct items *items, bool more,
                                const struct destination_shut *shut, size_t shut_count);

int claimer_new(struct works *works, claimer_on_claimed *on_claimed, void *user, struct claimer **ret);
/* After its last job and its last item. NULL is fine. */
struct claimer *claimer_free(struct claimer *c);

/* Claims up to max, in a job. Those of the shut destinations (copied) are put off at once, up to CLAIMER_PUT_OFF_MAX and
 * until there is somebody else. -ENOMEM or 0. */
int claimer_claim(struct claimer *c, struct sending *s, unsigned max, bool resend_in_doubt,
                  const struct destination_shut *shut, size_t shut_count);

/* For item_free(): one item of the block is done. */
void block_let_go(struct block *b);
