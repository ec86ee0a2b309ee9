/* The end of what is kept: rows that are older than [retention] allows. On the store's thread. Those that return
 * STORE_MORE are called again until STORE_DONE; *ret_count grows by what was removed. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct db;

/* System mail made before then of which nothing is left to do. */
int retention_notices(struct db *db, int64_t before_usec, uint64_t *ret_count);

/* The next announcement behind `after` that was finished before then and whose rows of delivery are not removed yet: 1
 * and its id, 0 none. One that is not over, or has anything pending, is never among them. */
int retention_next_announcement(struct db *db, int64_t before_usec, int64_t after, int64_t *ret_id);
/* Removes its rows of delivery; its counters stay. */
int retention_deliveries(struct db *db, int64_t announcement, int64_t now_usec, uint64_t *ret_count);

/* Somebody who left a list, or was removed from it, before then. Begin with it zeroed; it is the cursor too. */
struct retention_gone {
    int64_t since_usec, list, subscriber;
    bool everywhere; /* and so from every other list that they were on */
};
int retention_next_gone(struct db *db, int64_t before_usec, struct retention_gone *gone); /* 1, 0 */
/* Removes what the record holds on the subscription, and its tags: that they are gone, and since when, stays. Opt-outs
 * stay as those of nobody (store/erasure.h). */
int retention_consent(struct db *db, const struct retention_gone *gone, uint64_t *ret_count);
