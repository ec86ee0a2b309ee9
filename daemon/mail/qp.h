/* Quoted-printable (RFC 2045 §6.7), in pieces: literals are encoded beforehand and strung together with values that are
 * encoded on the way. Each piece begins on a fresh line, behind a soft line break where need be, so its encoding never
 * depends on what stands before it.
 *
 * Lines have at most 76 characters with their "=". Blanks before a line end, a "." that begins a line, and the F of a
 * "From " that begins a line are encoded: MTAs and mailboxes change these. Line ends of text become CR LF; a CR of its
 * own is dropped. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "mail/merge.h"

enum { QP_LINE_MAX = 76 };

/* Appends the encoded literal, which begins on a fresh line and may end amid one. */
void qp_encode(struct buf *to, struct view text);

/* The filling. Begin with {.to = to}. */
struct qp {
    struct buf *to;
    bool open; /* a line was begun */
};
void qp_add_encoded(struct qp *q, struct view encoded);
void qp_add_value(struct qp *q, struct view value, enum merge_escape escape);
/* The last line has no line end but such as the text has itself. */
void qp_end(struct qp *q);
