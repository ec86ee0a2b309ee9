/* Names of mailboxes as IMAP has them: modified UTF-7 (RFC 3501 §5.1.3) in a quoted string (§4.3). */
#pragma once
#include "base/buf.h"
#include "base/view.h"

/* Appends the name, quotes included. name is UTF-8, with "&" for itself. -EINVAL for other bytes, control characters, and
 * an empty name; or the buffer's error. Nothing is appended then. */
int imap_name_print(struct view name, struct buf *to);
