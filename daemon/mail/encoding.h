/* A merge as a MIME body: its literals encoded once, its values on the way (RFC 2045 §6). Decoding what is filled gives
 * what merge_fill() gives, with CR LF for each LF and without CRs of their own. Lines are ASCII, at most 76 characters,
 * and end in CR LF. Filling allocates in the target buffer only. */
#pragma once
#include "mail/merge.h"

enum encoding_kind { ENCODING_QUOTED_PRINTABLE, ENCODING_BASE64, ENCODING_SMALLER };

struct encoding;

/* ENCODING_SMALLER takes the one whose literals are shorter. The merge is sealed, and copied. */
int encoding_new(const struct merge *text, enum encoding_kind kind, struct encoding **ret);
struct encoding *encoding_free(struct encoding *e);

/* For Content-Transfer-Encoding. */
const char *encoding_name(const struct encoding *e);
/* Octets at most, without the fields' values. */
size_t encoding_size(const struct encoding *e);
/* Appends the body. The last line has no line end where the text has none, or in base64. */
void encoding_fill(const struct encoding *e, const struct view *values, struct buf *to);
