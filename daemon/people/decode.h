/* The charset of a table that people exported, found while it comes in: UTF-8 and UTF-16 by their BOM; else UTF-8 as
 * long as it is; where a byte is not, windows-1252 if all before was ASCII, and otherwise a damaged character in a
 * UTF-8 file. A given charset is used as it is, unless a BOM says otherwise. Damaged characters become U+FFFD. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "base/view.h"

struct decode;

/* charset: an iconv name, or NULL to find out. -EINVAL for an unknown one. */
int decode_new(const char *charset, struct decode **ret);
struct decode *decode_free(struct decode *d);
/* Appends to `to`, without a BOM. */
int decode_feed(struct decode *d, struct view piece, struct buf *to);
int decode_end(struct decode *d, struct buf *to);
/* As far as is known: "UTF-8", "UTF-16", "windows-1252", or the one given. Lives as long as d. */
const char *decode_charset(const struct decode *d);
/* windows-1252, for want of anything better. */
bool decode_guessed(const struct decode *d);
