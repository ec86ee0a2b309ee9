/* How many people an announcement reaches through its lists, in which languages; and what its filter asks for in vain.
 * On the store's thread. */
#pragma once
#include "base/arena.h"
#include "store/subscription.h"

struct filter;

enum { REACH_NAMES_MAX = 200, REACH_LISTS_MAX = 32 };

/* Begin with a zeroed one. */
struct reach {
    struct subscription_census census; /* of those who are meant */
    uint64_t members;                  /* people active in at least one of the lists, meant or not */
    uint64_t several;                  /* of those who are meant: reached by more than one of the lists */
    /* what members have: own fields and tags, of which the first are kept; for hints, where the filter needs them */
    const char *fields[REACH_NAMES_MAX], *tags[REACH_NAMES_MAX];
    size_t field_count, tag_count;
    struct arena arena;
};

/* STORE_MORE until all are counted, whether many are meant or none: slices end by time. only: NULL for everybody; it has
 * looked at every active member then (filter_look()). With several lists each person counts once, in the language they
 * have. At most REACH_LISTS_MAX. */
int reach_count(struct db *db, const uint32_t *lists, size_t list_count, struct filter *only, struct reach *r);
void reach_done(struct reach *r);
