/* A contact's own fields ("attr.city"), kept as text: lines "name<TAB>value", sorted by name.
 * Names are lower case, [a-z0-9_] and letters beyond ASCII, at most 48 bytes; values one line, at most 2000 bytes. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "base/view.h"

enum { ATTRIBUTE_NAME_MAX = 48, ATTRIBUTE_VALUE_MAX = 2000, ATTRIBUTES_MAX_BYTES = 32 * 1024 };

/* The value of one, or a view with ptr NULL. */
struct view attributes_get(struct view attributes, struct view name);
/* Takes one pair off *rest; false at the end. */
bool attributes_next(struct view *rest, struct view *ret_name, struct view *ret_value);
/* Writes attributes with one value set (an empty value removes it) to `to`. -EINVAL for a bad name or value. */
int attributes_set(struct view attributes, struct view name, struct view value, struct buf *to);
/* The name of a column or key: folded, blanks and punctuation to _, cut to length; nothing where nothing is left, or
 * it is not UTF-8. -ENOMEM. */
int attributes_name(struct view written, struct buf *to);
