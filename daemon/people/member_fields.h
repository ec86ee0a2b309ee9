/* Fields of a person as people name and write them on the command line, see people/member.h. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/why.h"
#include "people/member.h"

/* Sets in *ret what the fields say, attributes merged into those of base; the rest stays NULL. Names of the fields that
 * base does not have so already are appended to `changed`, parted by ", ". -EINVAL with the reason. */
int member_read_fields(const struct person *base, const struct member_field *fields, size_t count,
                       const struct words *const *words, size_t words_count, struct arena *arena, struct person *ret,
                       struct buf *changed, struct why *why);
