/* Base64 (RFC 2045 §6.8), in pieces: literals are encoded beforehand, for each of the three places in a group of three
 * bytes where they may begin, and strung together with values that are encoded on the way. Lines have at most 76
 * characters; a literal begins on a fresh one. Line ends of text become CR LF; a CR of its own is dropped. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "mail/merge.h"

enum { BASE64_LINE_MAX = 76 };

/* Appends the digits of len bytes with padding and no line ends. */
void base64_digits(struct buf *to, const void *bytes, size_t len);
/* Appends whole lines, each ended by CR LF. */
void base64_lines(struct buf *to, struct view bytes);

/* A literal cut for one place: what ends the group that is open, what is encoded, what begins the next group. */
struct base64_cut {
    struct view head, lines, tail;
    unsigned column; /* of the last line */
};
/* bytes are in canonical form and outlive the cut; carried is how many bytes (0 to 2) the open group has. -ENOMEM. */
int base64_cut(struct view bytes, unsigned carried, struct arena *arena, struct base64_cut *ret);

/* The filling. Begin with {.to = to}. */
struct base64 {
    struct buf *to;
    unsigned char carry[3];
    unsigned carried, column; /* carried: 0 to 2, tells which cut of a literal fits */
};
void base64_add_cut(struct base64 *b, const struct base64_cut *cut);
void base64_add_value(struct base64 *b, struct view value, enum merge_escape escape);
/* Pads; the last line has no line end. */
void base64_end(struct base64 *b);
