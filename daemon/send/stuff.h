/* The octets of a message as DATA and BDAT want them (RFC 5321 §4.5.2). No bare CR or LF ever leaves us: what a relay
 * might read as the end of a message is not for its sender to say. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "base/view.h"

enum { STUFF_LINE_MAX_BYTES = 998 };

/* Whether the message is lines ending with CRLF, each of at most STUFF_LINE_MAX_BYTES, without another CR or LF. */
bool stuff_is_clean(struct view message);
/* Appends it with leading dots doubled and the final dot. -EBADMSG where it is not clean; then some of it may have been
 * appended. */
int stuff(struct view message, struct buf *to);
