/* Addresses that a trial import has met, since it writes nothing that would tell: by hashes, at most SEEN_MAX of them
 * (in 16 MB); beyond that every address counts as met for the first time. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"

enum { SEEN_MAX = 1 << 20 };

struct seen {
    struct seen_entry *entries;
    size_t room, count;
};
enum seen_result { SEEN_FIRST, SEEN_SAME_NAME, SEEN_SECOND_NAME, SEEN_THIRD_NAME };

void seen_done(struct seen *s);
/* -ENOMEM, or an enum seen_result. */
int seen_add(struct seen *s, const char *address_key, const char *given_name, const char *family_name);
