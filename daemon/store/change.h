/* Changes to a person's fields: overlaid, compared, joined to a couple, and kept as text between a batch's rows and its
 * end. Fields that a change leaves alone are NULL; attributes hold only those that change.
 *
 * FORMAT  lines "column<TAB>value", values cleaned of control characters; an attribute is "attr.NAME<TAB>value", a
 *         change of tags "tags<TAB>+new,-old" (mail/tags.h), which are the subscription's. In `base` tags are what is
 *         there, in everything else what changes. */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "store/person.h"

enum { CHANGE_MAX_BYTES = 64 * 1024 };

/* The fields that p sets ("" does not) and that differ from base's, in *ret; true where there are any. */
int change_between(const struct person *base, const struct person *p, struct arena *arena, struct person *ret,
                   bool *ret_any);
/* base with the fields of a change in their place. */
int change_overlay(const struct person *base, const struct person *change, struct arena *arena, struct person *ret);
int change_print(const struct person *change, struct buf *to);
/* Unknown columns are skipped. */
int change_read(struct view text, struct arena *arena, struct person *ret);

/* How the names of two rows at one address go together. */
enum change_names { CHANGE_SAME_NAME, CHANGE_TWO_NAMES, CHANGE_THIRD_NAME };
enum change_names change_compare_names(const struct person *first, const struct person *second);
/* The couple: form, title, given and family name of both, parted as mail/salutation.h reads them; the rest is the
 * first's, blanks filled from the second. */
int change_join(const struct person *first, const struct person *second, struct arena *arena, struct person *ret);
