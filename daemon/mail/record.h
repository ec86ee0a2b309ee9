/* The record of a mail from outside: what the mail door needs of it, and nothing else. The sandboxed reader
 * (inbound/mime.h) prints it, and whoever started the reader believes none of it before record_read() has looked.
 *
 * FORMAT  line 1: "rundbrief-record 1"; then items, each a line, LENGTH bytes and an LF:
 *           field NAME LENGTH        a header field of the mail, decoded and unfolded; NAME in lower case
 *           part LEVEL TYPE LENGTH   a leaf's text, decoded, lines ended by LF; of an enclosed message (message/rfc822,
 *                                    message/global) its header block, unfolded and decoded, and its parts follow one
 *                                    LEVEL up. LEVEL is 0 for the mail's own parts.
 *         and a last line "end". Fields come before parts. Values and texts are valid UTF-8 without control characters
 *         (texts may hold LF and tabs).
 *
 * LIMITS  the constants below. What is more is left out by the reader, texts are cut. */
#pragma once
#include "base/buf.h"
#include "base/view.h"

enum {
    RECORD_FIELDS_MAX = 64,
    RECORD_PARTS_MAX = 48,
    RECORD_LEVELS_MAX = 8,
    RECORD_NAME_MAX_BYTES = 64, /* of fields, of types */
    RECORD_VALUE_MAX_BYTES = 4000,
    RECORD_TEXT_MAX_BYTES = 64 << 10,
    RECORD_MAX_BYTES = 1 << 20,
};

struct record_field {
    struct view name, value;
};

struct record_part {
    unsigned level;
    struct view type; /* "text/plain" */
    struct view text;
};

/* All views are into what was read. */
struct record {
    struct record_field fields[RECORD_FIELDS_MAX];
    size_t field_count;
    struct record_part parts[RECORD_PARTS_MAX];
    size_t part_count;
};

/* -EBADMSG for whatever is not of the format. */
int record_read(struct view text, struct record *ret);

/* For the reader: texts are cleaned and cut, what is beyond the limits is left out. The counts are the caller's. */
void record_print_head(struct buf *to);
void record_print_field(struct buf *to, struct view name, struct view value);
void record_print_part(struct buf *to, unsigned level, struct view type, struct view text);
void record_print_end(struct buf *to);

/* The first field of that name (lower case), or an absent view. */
struct view record_field(const struct record *r, const char *name);
