/* Tags of a subscription: words that a list's people are marked with ("funding"), kept as text: a line each, sorted by
 * what they fold to. A tag is one line of at most TAG_MAX_BYTES without comma, semicolon or control characters, and
 * begins with neither + nor -. Two tags that fold to the same are one; the first spelling stays. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "base/view.h"

enum { TAG_MAX_BYTES = 64, TAGS_MAX = 64, TAGS_MAX_BYTES = TAGS_MAX * (TAG_MAX_BYTES + 1) };

/* Takes one off *rest; false at the end. */
bool tags_next(struct view *rest, struct view *ret);
/* folded: text_fold() of the tag. 1, 0 or -ENOMEM. */
int tags_have(struct view tags, struct view folded);

/* A change: tags to add and, with - in front, to take away, parted by commas, semicolons or line ends; a + in front
 * counts for nothing. Checks it and writes it, one a line with its sign, to `to`. -EINVAL with the offending one in
 * *ret_bad; -E2BIG beyond TAGS_MAX. */
int tags_read(struct view written, struct buf *to, struct view *ret_bad);
/* tags with a change applied (as tags_read() wrote it, later lines win) to `to`; whether anything is different in
 * *ret_changed (may be NULL). -E2BIG where they would be more than TAGS_MAX. */
int tags_apply(struct view tags, struct view change, struct buf *to, bool *ret_changed);
