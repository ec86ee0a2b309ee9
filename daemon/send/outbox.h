/* What is to be sent over a connection, in order. Two buffers: the one that is being sent neither moves nor shrinks (TLS
 * resumes a send by address), new octets go to the other. Places are counted from the connection's beginning.
 *
 * LIMITS  limit_bytes that wait; buffers above OUTBOX_KEEP_MAX_BYTES are let go when they are empty. */
#pragma once
#include <stdint.h>

#include "base/buf.h"

enum { OUTBOX_KEEP_MAX_BYTES = 1 << 20 };

struct outbox {
    struct buf sending, next;
    size_t sent;             /* of sending */
    uint64_t queued, handed; /* octets, ever: added; handed to the socket */
};

void outbox_init(struct outbox *o, size_t limit_bytes);
void outbox_done(struct outbox *o);
/* -ENOMEM, -EMSGSIZE: then it is broken, half of something may wait. */
int outbox_add(struct outbox *o, struct view octets);
/* The same of all that is in from, which is empty afterwards. Does not copy it where nothing else waits in front. */
int outbox_take(struct outbox *o, struct buf *from);
/* What is to be sent next, "" where nothing is: the same octets at the same place until outbox_handed(). */
struct view outbox_output(struct outbox *o);
void outbox_handed(struct outbox *o, size_t len);
