/* Values of header fields, made safe and folded (RFC 5322 §2.2.3, RFC 2047): no CR, LF or NUL passes; encoded words of
 * at most 75 characters that never split a character; lines of at most 76 where words are encoded. */
#pragma once
#include "base/buf.h"
#include "base/view.h"

/* Unstructured text; column is where the value begins on its first line. Control characters become blanks. */
void header_add_text(struct buf *to, struct view text, size_t column);
/* A phrase and an address: `Vera Müller <v@x>` with the phrase as atom, quoted string or encoded words; "" display
 * gives the bare address. */
void header_add_mailbox(struct buf *to, struct view display, struct view address, size_t column);
/* name="..." or name*=UTF-8''... with an ASCII fallback, each preceded by "; " and folded: file names. No path, control
 * or bidi characters survive. */
void header_add_parameter(struct buf *to, const char *name, struct view value);
