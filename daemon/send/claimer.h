/* Claiming: recipients come from the store in blocks, as items to be sent. A block's memory is used again when the last
 * item of it is done, so that sending on and on allocates nothing.
 *
 * LIMITS  CLAIMS_MAX in a block; CLAIMER_SPARE_MAX blocks are kept for reuse. */
#pragma once
#include <stdbool.h>

#include "send/item.h"

struct block;
struct claimer;
struct sending;
struct works;

enum { CLAIMER_SPARE_MAX = 16 };

/* The items are the handler's. more: there may be more to claim now. result is 0 or the errno; then there are none. */
typedef void claimer_on_claimed(void *user, struct sending *s, int result, struct items *items, bool more);

int claimer_new(struct works *works, claimer_on_claimed *on_claimed, void *user, struct claimer **ret);
/* After its last job and its last item. NULL is fine. */
struct claimer *claimer_free(struct claimer *c);

/* Claims up to max, in a job. -ENOMEM or 0. */
int claimer_claim(struct claimer *c, struct sending *s, unsigned max, bool resend_in_doubt);

/* For item_free(): one item of the block is done. */
void block_let_go(struct block *b);
