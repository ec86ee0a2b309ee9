/* Text of another charset, converted to UTF-8 as it comes in pieces. What is no character there becomes U+FFFD.
 * Charsets are those of iconv; names of [A-Za-z0-9_.:-], at most 40 bytes. */
#pragma once
#include "base/buf.h"
#include "base/view.h"

struct text_stream;

/* -EINVAL for a charset that iconv does not know. */
int text_stream_new(const char *charset, struct text_stream **ret);
struct text_stream *text_stream_free(struct text_stream *s);
/* Appends to `to`; a character cut in two waits for the next piece. */
int text_stream_feed(struct text_stream *s, struct view piece, struct buf *to);
/* A character cut off by the end is U+FFFD. */
int text_stream_end(struct text_stream *s, struct buf *to);
