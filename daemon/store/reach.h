/* How many members of a list an announcement reaches, in which languages; and what its filter asks for in vain.
 * On the store's thread. */
#pragma once
#include "base/arena.h"
#include "store/subscription.h"

struct filter;

enum { REACH_NAMES_MAX = 200 };

/* Begin with a zeroed one. */
struct reach {
    struct subscription_census census; /* of those who are meant */
    uint64_t members;                  /* active ones, meant or not */
    /* what members have: own fields and tags, of which the first are kept; for hints, where the filter needs them */
    const char *fields[REACH_NAMES_MAX], *tags[REACH_NAMES_MAX];
    size_t field_count, tag_count;
    struct arena arena;
};

/* STORE_MORE until all are counted, whether many are meant or none: slices end by time. only: NULL for everybody; it has
 * looked at every active member then (filter_look()). */
int reach_count(struct db *db, uint32_t list, struct filter *only, struct reach *r);
void reach_done(struct reach *r);
