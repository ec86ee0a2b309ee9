/* An attachment or a picture, encoded once for all messages that carry it: base64 in lines (RFC 2045 section 6.8). It does
 * not change once it is made. References are counted, as it outlives what it was made of; the counts are atomic, as the
 * mails of an announcement are made in one thread and let go in another. */
#pragma once
#include "base/view.h"

struct enclosure;

/* -ENOMEM; -EMSGSIZE where no message could hold it. */
int enclosure_new(struct view bytes, struct enclosure **ret);
struct enclosure *enclosure_ref(struct enclosure *e);
struct enclosure *enclosure_unref(struct enclosure *e); /* NULL is fine; returns NULL */
/* The lines, without the last one's end: the line end before a boundary is the boundary's. */
struct view enclosure_lines(const struct enclosure *e);
